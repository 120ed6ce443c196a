//! Service Bus over AMQP 1.0: it peeks, and never receives.

mod decode;
mod sas;
