//! The port that the Functions host chose.

use std::num::NonZeroU16;

/// The variables in which the host sets the port that it will call; the second is the older name (azure-functions-host, `HttpWorkerConstants.cs`).
const VARIABLES: [&str; 2] = ["FUNCTIONS_CUSTOMHANDLER_PORT", "FUNCTIONS_HTTPWORKER_PORT"];

/// The environment names no port to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PortError {
    /// Neither the Functions host nor a caller in its place set the port.
    #[error("{} is not set: the Functions host sets it to the port it will call; to run without a host, set it to a number from 1 to 65535", VARIABLES[0])]
    Missing,
    /// It is not a port.
    #[error("{variable} is `{value}`: it must be a port number from 1 to 65535")]
    Invalid { variable: &'static str, value: String },
}

/// The port to listen on, on 127.0.0.1. An empty variable counts as one that is not set.
pub(crate) fn port(variable: impl Fn(&str) -> Option<String>) -> Result<u16, PortError> {
    let found = VARIABLES.into_iter().find_map(|name| Some((name, variable(name).filter(|value| !value.is_empty())?)));
    let (variable, value) = found.ok_or(PortError::Missing)?;
    match value.trim().parse::<NonZeroU16>() {
        Ok(port) => Ok(port.get()),
        Err(_) => Err(PortError::Invalid { variable, value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port_of(variables: &[(&str, &str)]) -> Result<u16, PortError> {
        port(|name| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_newer_name_wins_and_the_older_one_will_do() {
        assert_eq!(port_of(&[("FUNCTIONS_CUSTOMHANDLER_PORT", "7071"), ("FUNCTIONS_HTTPWORKER_PORT", "1")]), Ok(7071));
        assert_eq!(port_of(&[("FUNCTIONS_CUSTOMHANDLER_PORT", ""), ("FUNCTIONS_HTTPWORKER_PORT", "1")]), Ok(1));
    }

    #[test]
    fn an_unset_port_is_an_error_that_names_the_variable() {
        let error = port_of(&[]).unwrap_err();
        assert_eq!(error, PortError::Missing);
        assert!(error.to_string().starts_with("FUNCTIONS_CUSTOMHANDLER_PORT is not set"), "{error}");
    }

    #[test]
    fn what_is_no_port_is_an_error_that_names_variable_value_and_what_is_accepted() {
        for value in ["0", "65536", "-1", "http", "80 81"] {
            let error = port_of(&[("FUNCTIONS_HTTPWORKER_PORT", value)]).unwrap_err();
            let expected = format!("FUNCTIONS_HTTPWORKER_PORT is `{value}`: it must be a port number from 1 to 65535");
            assert_eq!(error.to_string(), expected);
        }
    }
}
