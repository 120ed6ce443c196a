//! Service Bus over AMQP 1.0: it peeks, and never receives.

pub mod connection_string;
