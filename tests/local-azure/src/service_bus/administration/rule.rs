//! Rules as elements of XML.

use roxmltree::Node;
use serde_amqp::Value;
use time::OffsetDateTime;

use super::atom::{INSTANCE, element, escape, timestamp};
use super::description::{described, properties};
use super::refusal::Refusal;
use crate::service_bus::broker::filter::SystemProperty;
use crate::service_bus::broker::{CorrelationFilter, Filter, Rule, SqlFilter};
use crate::service_bus::sections;

/// A rule.
pub(super) fn rule(rule: &Rule, created_at: OffsetDateTime) -> String {
    let mut xml = match &rule.filter {
        Filter::True => sql("TrueFilter", "1=1"),
        Filter::False => sql("FalseFilter", "1=0"),
        Filter::Sql(filter) => sql("SqlFilter", filter.as_str()),
        Filter::Correlation(filter) => correlation(filter),
    };
    xml += "<Action i:type=\"EmptyRuleAction\"/>";
    xml += &element("CreatedAt", &timestamp(created_at));
    xml += &element("Name", &rule.name);
    described("RuleDescription", &xml)
}

/// Reads a rule.
pub(super) fn read_rule(name: &str, description: Node<'_, '_>) -> Result<Rule, Refusal> {
    let child = |name| description.children().find(|child| child.tag_name().name() == name);
    if let Some(action) = child("Action")
        && properties(action).any(|(property, text)| property == "SqlExpression" && !text.is_empty())
    {
        return Err(Refusal::invalid("The local Service Bus has no actions of rules."));
    }
    let Some(filter) = child("Filter") else { return Ok(Rule::new(name, Filter::True)) };
    let filter = match filter.attribute((INSTANCE, "type")).unwrap_or_default() {
        "TrueFilter" => Filter::True,
        "FalseFilter" => Filter::False,
        "SqlFilter" => {
            let expression = properties(filter).find(|(property, _)| *property == "SqlExpression");
            let (_, expression) = expression.ok_or_else(|| Refusal::invalid("The filter has no SqlExpression."))?;
            SqlFilter::parse(expression).map_err(|error| Refusal::invalid(error.to_string()))?.into()
        }
        "CorrelationFilter" => read_correlation(filter)?.into(),
        other => return Err(Refusal::invalid(format!("There is no filter of type '{other}'."))),
    };
    Ok(Rule::new(name, filter))
}

fn sql(kind: &str, expression: &str) -> String {
    let expression = element("SqlExpression", expression);
    format!("<Filter i:type=\"{kind}\">{expression}<CompatibilityLevel>20</CompatibilityLevel></Filter>")
}

fn correlation(filter: &CorrelationFilter) -> String {
    let system =
        SystemProperty::ALL.into_iter().filter_map(|(property, name)| Some((name, filter.asked_of(property)?)));
    let mut xml: String = system.map(|(name, text)| element(name, text)).collect();
    let application: String = filter.application_properties().iter().map(|(name, value)| pair(name, value)).collect();
    if !application.is_empty() {
        xml += "<Properties>";
        xml += &application;
        xml += "</Properties>";
    }
    format!("<Filter i:type=\"CorrelationFilter\">{xml}</Filter>")
}

fn pair(name: &str, value: &Value) -> String {
    let (kind, text) = match value {
        Value::Bool(value) => ("boolean", value.to_string()),
        Value::Int(number) => ("int", number.to_string()),
        Value::Long(number) => ("long", number.to_string()),
        Value::Double(number) => ("double", number.into_inner().to_string()),
        other => ("string", sections::text(other).unwrap_or_default().to_owned()),
    };
    let key = element("Key", name);
    let value = format!(
        "<Value xmlns:d6p1=\"http://www.w3.org/2001/XMLSchema\" i:type=\"d6p1:{kind}\">{}</Value>",
        escape(&text)
    );
    format!("<KeyValueOfstringanyType>{key}{value}</KeyValueOfstringanyType>")
}

fn read_correlation(filter: Node<'_, '_>) -> Result<CorrelationFilter, Refusal> {
    let mut correlation = CorrelationFilter::default();
    for child in filter.children().filter(Node::is_element) {
        let (name, text) = (child.tag_name().name(), child.text().unwrap_or_default());
        if name == "Properties" {
            for pair in child.children().filter(Node::is_element) {
                let (name, value) = read_pair(pair)?;
                correlation = correlation.application(name, value);
            }
        } else if !text.is_empty() {
            let unknown = || Refusal::invalid(format!("There is no property '{name}' to filter by."));
            correlation = correlation.system(name, text).ok_or_else(unknown)?;
        }
    }
    Ok(correlation)
}

fn read_pair<'a>(pair: Node<'a, '_>) -> Result<(&'a str, Value), Refusal> {
    let part = |name| pair.children().find(|child| child.tag_name().name() == name);
    let (Some(key), Some(value)) = (part("Key"), part("Value")) else {
        return Err(Refusal::invalid("A property has no key or no value."));
    };
    let text = value.text().unwrap_or_default();
    let kind = value.attribute((INSTANCE, "type")).unwrap_or_default();
    let kind = kind.rsplit(':').next().unwrap_or_default();
    let value = match kind {
        "string" => Some(Value::from(text)),
        "boolean" => text.parse().ok().map(Value::Bool),
        "int" => text.parse().ok().map(Value::Int),
        "long" => text.parse().ok().map(Value::Long),
        "double" => text.parse::<f64>().ok().map(Value::from),
        _ => None,
    };
    let refusal = || Refusal::invalid(format!("The local Service Bus cannot filter by '{text}' of type '{kind}'."));
    Ok((key.text().unwrap_or_default(), value.ok_or_else(refusal)?))
}
