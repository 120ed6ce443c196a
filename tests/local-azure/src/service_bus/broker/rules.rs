//! The rules of a subscription, which can be changed while it is in use.

use super::BrokerError;
use super::filter::Rule;
use super::subscription::Subscription;

impl Subscription {
    /// Adds a rule. Existing messages stay, whatever it says.
    pub(crate) fn add_rule(&mut self, rule: Rule) -> Result<(), BrokerError> {
        if self.rule(&rule.name).is_ok() {
            return Err(BrokerError::AlreadyExists(rule.name));
        }
        self.config.rules.push(rule);
        Ok(())
    }

    /// Replaces the rule with the same name.
    pub(crate) fn replace_rule(&mut self, rule: Rule) -> Result<(), BrokerError> {
        let position = self.position_of_rule(&rule.name)?;
        self.config.rules[position] = rule;
        Ok(())
    }

    /// Removes a rule.
    pub(crate) fn remove_rule(&mut self, name: &str) -> Result<(), BrokerError> {
        let position = self.position_of_rule(name)?;
        self.config.rules.remove(position);
        Ok(())
    }

    /// The rule with a name.
    pub(crate) fn rule(&self, name: &str) -> Result<&Rule, BrokerError> {
        Ok(&self.config.rules[self.position_of_rule(name)?])
    }

    fn position_of_rule(&self, name: &str) -> Result<usize, BrokerError> {
        let found = self.config.rules.iter().position(|rule| rule.name.to_lowercase() == name.to_lowercase());
        found.ok_or_else(|| BrokerError::NoSuchRule(name.to_owned()))
    }
}
