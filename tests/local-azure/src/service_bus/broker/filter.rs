//! Rules: which messages a subscription accepts.

use std::cell::OnceCell;

use serde_amqp::Value;

use super::message::{Message, message_id_text};
use super::sql::SqlFilter;
use super::sql_value::Scalar;
use crate::service_bus::sections::text;

/// A named filter of a subscription.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, unique in the subscription.
    pub name: String,
    /// Which messages it accepts.
    pub filter: Filter,
}

impl Rule {
    /// A rule.
    pub fn new(name: impl Into<String>, filter: impl Into<Filter>) -> Self {
        Self { name: name.into(), filter: filter.into() }
    }
}

impl Default for Rule {
    /// The rule of a new subscription: it accepts everything.
    fn default() -> Self {
        Self::new("$Default", Filter::True)
    }
}

/// Which messages a rule accepts.
#[derive(Clone, Debug)]
pub enum Filter {
    /// All.
    True,
    /// None.
    False,
    /// Those for which an expression is true.
    Sql(SqlFilter),
    /// Those that have given properties.
    Correlation(CorrelationFilter),
}

impl From<SqlFilter> for Filter {
    fn from(filter: SqlFilter) -> Self {
        Self::Sql(filter)
    }
}

impl From<CorrelationFilter> for Filter {
    fn from(filter: CorrelationFilter) -> Self {
        Self::Correlation(filter)
    }
}

impl Filter {
    pub(crate) fn matches(&self, message: &MessageView<'_>) -> bool {
        match self {
            Self::True => true,
            Self::False => false,
            Self::Sql(filter) => filter.matches(message),
            Self::Correlation(filter) => filter.matches(message),
        }
    }
}

/// Accepts the messages with all the given properties, compared exactly.
#[derive(Clone, Debug, Default)]
pub struct CorrelationFilter {
    system: Vec<(SystemProperty, String)>,
    application: Vec<(String, Value)>,
}

impl CorrelationFilter {
    /// Also requires a system property. Returns `None`, without a change, if there is none with that name.
    #[must_use]
    pub fn system(mut self, name: &str, value: impl Into<String>) -> Option<Self> {
        self.system.push((SystemProperty::parse(name)?, value.into()));
        Some(self)
    }

    /// Also requires an application property.
    #[must_use]
    pub fn application(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.application.push((name.into(), value.into()));
        self
    }

    /// The required value of a system property, if any.
    pub(crate) fn asked_of(&self, property: SystemProperty) -> Option<&str> {
        self.system.iter().find(|(asked, _)| *asked == property).map(|(_, value)| value.as_str())
    }

    /// The required application properties.
    pub(crate) fn application_properties(&self) -> &[(String, Value)] {
        &self.application
    }

    fn matches(&self, message: &MessageView<'_>) -> bool {
        let system = |(property, value): &(SystemProperty, String)| matches!(message.system_property(*property), Scalar::Text(found) if found == *value);
        let application = |(name, value): &(String, Value)| {
            Scalar::from_amqp(value).equals(&message.application_property(name)) == Some(true)
        };
        self.system.iter().all(system) && self.application.iter().all(application)
    }
}

/// The properties of a message that filters can ask for by the scope `sys`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SystemProperty {
    MessageId,
    To,
    Subject,
    ReplyTo,
    CorrelationId,
    ContentType,
    SessionId,
    ReplyToSessionId,
}

impl SystemProperty {
    /// All of them with the names they have in XML, in the order of the correlation filter's contract.
    pub(crate) const ALL: [(Self, &str); 8] = [
        (Self::CorrelationId, "CorrelationId"),
        (Self::MessageId, "MessageId"),
        (Self::To, "To"),
        (Self::ReplyTo, "ReplyTo"),
        (Self::Subject, "Label"),
        (Self::SessionId, "SessionId"),
        (Self::ReplyToSessionId, "ReplyToSessionId"),
        (Self::ContentType, "ContentType"),
    ];

    /// The names that the service uses, in any case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name.to_lowercase().as_str() {
            "messageid" => Self::MessageId,
            "to" => Self::To,
            "label" | "subject" => Self::Subject,
            "replyto" => Self::ReplyTo,
            "correlationid" => Self::CorrelationId,
            "contenttype" => Self::ContentType,
            "sessionid" => Self::SessionId,
            "replytosessionid" => Self::ReplyToSessionId,
            _ => return None,
        })
    }

    /// Where it is in the properties section (AMQP 1.0 part 3, section 3.2.4).
    fn index(self) -> usize {
        match self {
            Self::MessageId => 0,
            Self::To => 2,
            Self::Subject => 3,
            Self::ReplyTo => 4,
            Self::CorrelationId => 5,
            Self::ContentType => 6,
            Self::SessionId => 10,
            Self::ReplyToSessionId => 12,
        }
    }
}

/// Whether a filter can tell if a property has this value.
pub(crate) fn is_comparable(value: &Value) -> bool {
    !matches!(Scalar::from_amqp(value), Scalar::Unknown | Scalar::Opaque)
}

/// What filters see of a message, decoded when first needed.
pub(crate) struct MessageView<'a> {
    message: &'a Message,
    properties: OnceCell<Vec<Value>>,
    /// With names in lower case.
    application_properties: OnceCell<Vec<(String, Scalar)>>,
}

impl<'a> MessageView<'a> {
    pub(crate) fn new(message: &'a Message) -> Self {
        Self { message, properties: OnceCell::new(), application_properties: OnceCell::new() }
    }

    pub(crate) fn system_property(&self, property: SystemProperty) -> Scalar {
        let properties = self.properties.get_or_init(|| self.message.properties());
        let value = properties.get(property.index()).unwrap_or(&Value::Null);
        match property {
            SystemProperty::MessageId | SystemProperty::CorrelationId => {
                message_id_text(value).map_or(Scalar::Unknown, Scalar::Text)
            }
            _ => Scalar::from_amqp(value),
        }
    }

    /// Ignores the case of names, as the service's filters do.
    pub(crate) fn application_property(&self, name: &str) -> Scalar {
        let name = name.to_lowercase();
        let properties = self.application_properties.get_or_init(|| {
            let map = self.message.application_properties();
            map.iter().filter_map(|(key, value)| Some((text(key)?.to_lowercase(), Scalar::from_amqp(value)))).collect()
        });
        properties.iter().find(|(key, _)| *key == name).map_or(Scalar::Unknown, |(_, value)| value.clone())
    }
}
