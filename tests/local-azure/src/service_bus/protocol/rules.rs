//! Requests to `$management` about rules.
//!
//! The codes of descriptions are those in the clients (`descriptorCodes` of JavaScript's `core-amqp`).

use serde_amqp::Value;
use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;

use super::request::{Reply, Request};
use crate::service_bus::broker::filter::{SystemProperty, is_comparable};
use crate::service_bus::broker::subscription::Subscription;
use crate::service_bus::broker::{BrokerError, CorrelationFilter, Filter, Rule, SqlFilter};
use crate::service_bus::sections::{ValueMap, integer, lookup, text, timestamp};

const RULE_DESCRIPTION: u64 = 0x137_0000_0004;
const EMPTY_RULE_ACTION: u64 = 0x137_0000_0005;
const SQL_FILTER: u64 = 0x13_7000_0006;
const TRUE_FILTER: u64 = 0x13_7000_0007;
const FALSE_FILTER: u64 = 0x13_7000_0008;
const CORRELATION_FILTER: u64 = 0x13_7000_0009;

/// `com.microsoft:add-rule`.
pub(super) fn add(request: &Request, subscription: &mut Subscription) -> Reply {
    let (Some(name), Some(Value::Map(description))) =
        (request.argument("rule-name").and_then(text), request.argument("rule-description"))
    else {
        return invalid("The arguments 'rule-name' and 'rule-description' are expected.");
    };
    match read_filter(description).map(|filter| subscription.add_rule(Rule::new(name, filter))) {
        Ok(Ok(())) => Reply::success(200, "OK", Value::Map(ValueMap::new())),
        Ok(Err(error)) => failure(&error),
        Err(reason) => invalid(reason),
    }
}

/// `com.microsoft:remove-rule`.
pub(super) fn remove(request: &Request, subscription: &mut Subscription) -> Reply {
    let Some(name) = request.argument("rule-name").and_then(text) else {
        return invalid("The argument 'rule-name' is expected.");
    };
    match subscription.remove_rule(name) {
        Ok(()) => Reply::success(200, "OK", Value::Map(ValueMap::new())),
        Err(error) => failure(&error),
    }
}

/// `com.microsoft:enumerate-rules`.
pub(super) fn enumerate(request: &Request, subscription: &Subscription) -> Reply {
    let number = |name| request.argument(name).and_then(integer).and_then(|number| usize::try_from(number).ok());
    let (skip, top) = (number("skip").unwrap_or(0), number("top").unwrap_or(usize::MAX));
    let page = subscription.config.rules.iter().skip(skip).take(top);
    let rules: Vec<Value> = page.map(|rule| description(rule, subscription)).collect();
    if rules.is_empty() {
        return Reply::success(204, "There are no more rules.", Value::Null);
    }
    Reply::success(200, "OK", Value::Map(ValueMap::from_iter([(Value::from("rules"), Value::List(rules))])))
}

/// A rule as the service lists it: its filter, its action, its name and when it was made.
fn description(rule: &Rule, subscription: &Subscription) -> Value {
    let (code, fields) = match &rule.filter {
        Filter::True => (TRUE_FILTER, vec![]),
        Filter::False => (FALSE_FILTER, vec![]),
        Filter::Sql(filter) => (SQL_FILTER, vec![Value::from(filter.as_str()), Value::Int(20)]),
        Filter::Correlation(filter) => (CORRELATION_FILTER, correlation(filter)),
    };
    let fields = vec![
        described(code, fields),
        described(EMPTY_RULE_ACTION, vec![]),
        Value::from(rule.name.as_str()),
        timestamp(subscription.created_at),
    ];
    let entry = (Value::from("rule-description"), described(RULE_DESCRIPTION, fields));
    Value::Map(ValueMap::from_iter([entry]))
}

fn correlation(filter: &CorrelationFilter) -> Vec<Value> {
    let asked = |(property, _)| filter.asked_of(property).map_or(Value::Null, Value::from);
    let mut fields: Vec<Value> = SystemProperty::ALL.into_iter().map(asked).collect();
    let application = filter.application_properties().iter();
    fields.push(Value::Map(application.map(|(name, value)| (Value::from(name.as_str()), value.clone())).collect()));
    fields
}

fn read_filter(description: &ValueMap) -> Result<Filter, String> {
    if let Some(Value::Map(action)) = lookup(description, "sql-rule-action")
        && lookup(action, "expression").and_then(text).is_some_and(|expression| !expression.is_empty())
    {
        return Err("The local Service Bus has no actions of rules.".to_owned());
    }
    match (lookup(description, "sql-filter"), lookup(description, "correlation-filter")) {
        (Some(Value::Map(sql)), _) => {
            let expression = lookup(sql, "expression").and_then(text).ok_or("The filter has no expression.")?;
            Ok(SqlFilter::parse(expression).map_err(|error| error.to_string())?.into())
        }
        (_, Some(Value::Map(correlation))) => Ok(read_correlation(correlation)?.into()),
        _ => Err("The rule has no filter.".to_owned()),
    }
}

fn read_correlation(map: &ValueMap) -> Result<CorrelationFilter, String> {
    let mut filter = CorrelationFilter::default();
    for (name, value) in map {
        match (text(name).unwrap_or_default(), value) {
            (_, Value::Null) => {}
            ("properties", Value::Map(properties)) => {
                for (name, value) in properties {
                    let name = text(name).ok_or("The name of a property is no text.")?;
                    if !is_comparable(value) {
                        return Err(format!("The local Service Bus cannot filter by the value of '{name}'."));
                    }
                    filter = filter.application(name, value.clone());
                }
            }
            (name, value) => {
                let value = text(value).ok_or_else(|| format!("The value of '{name}' is no text."))?;
                let unknown = || format!("There is no property '{name}' to filter by.");
                filter = filter.system(&name.replace('-', ""), value).ok_or_else(unknown)?;
            }
        }
    }
    Ok(filter)
}

fn described(code: u64, fields: Vec<Value>) -> Value {
    Value::Described(Box::new(Described { descriptor: Descriptor::Code(code), value: Value::List(fields) }))
}

fn failure(error: &BrokerError) -> Reply {
    match error {
        BrokerError::AlreadyExists(_) => Reply::failure(409, "com.microsoft:entity-already-exists", error.to_string()),
        // JavaScript's SDK recognizes a missing rule by these words.
        BrokerError::NoSuchTopic(name) | BrokerError::NoSuchSubscription(_, name) | BrokerError::NoSuchRule(name) => {
            let description = format!("The messaging entity '{name}' could not be found.");
            Reply::failure(404, "amqp:not-found", description)
        }
    }
}

fn invalid(reason: impl Into<String>) -> Reply {
    Reply::failure(400, "com.microsoft:argument-error", reason)
}
