//! The network namespace of a group, and the way from it to this machine.

use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, HostConfig, SystemInfo};
use bollard::query_parameters::{CreateContainerOptions, StartContainerOptions};

use super::deployment::Plan;
use super::removal::Removal;
use super::{Inner, pause};

/// The name under which a container reaches the machine that runs its engine's virtual machine.
const HOST: &str = "host.docker.internal";

/// What a group's containers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// This machine's network: where the engine runs on this machine's own Linux.
    Host,
    /// A namespace of its own, bridged: where the engine runs in a virtual machine, as Docker Desktop's does, whose network
    /// is not this machine's.
    Bridge,
    /// A namespace of its own with nothing but a loopback address.
    Isolated,
}

impl Network {
    /// The network through which containers of such an engine reach this machine.
    pub(super) fn of(info: &SystemInfo) -> Self {
        let is_virtual = info.operating_system.as_deref().is_some_and(|system| system.contains("Docker Desktop"));
        if cfg!(target_os = "linux") && !is_virtual { Self::Host } else { Self::Bridge }
    }

    fn mode(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Bridge => "bridge",
            Self::Isolated => "none",
        }
    }
}

/// This machine, as containers are to reach it.
#[derive(Clone, Debug)]
pub(super) struct Host {
    network: Network,
    ports: Vec<u16>,
}

impl Host {
    pub(super) fn new(network: Network, ports: impl IntoIterator<Item = u16>) -> Self {
        Self { network, ports: ports.into_iter().collect() }
    }

    /// A variable's value in which this machine's ports are named as a container reaches them. The loopback address of
    /// other ports stays as it is: it is the group's own.
    pub(super) fn reached_in(&self, value: &str) -> String {
        let mut value = value.to_owned();
        if self.network == Network::Bridge {
            for port in &self.ports {
                for name in ["127.0.0.1", "localhost", "[::1]"] {
                    value = replace_address(&value, &format!("{name}:{port}"), &format!("{HOST}:{port}"));
                }
            }
        }
        value
    }
}

/// Replaces an address only if it is a whole one: 127.0.0.1:5672 is not a part of 127.0.0.1:56720 or of 1127.0.0.1:5672.
fn replace_address(value: &str, address: &str, by: &str) -> String {
    let mut replaced = String::new();
    let mut rest = value;
    while let Some(at) = rest.find(address) {
        let (before, found) = rest.split_at(at);
        let after = &found[address.len()..];
        let begins = before.chars().next_back().is_none_or(|c| !(c.is_ascii_alphanumeric() || c == '.' || c == '-'));
        let ends = after.chars().next().is_none_or(|c| !c.is_ascii_digit());
        replaced.push_str(before);
        replaced.push_str(if begins && ends { by } else { address });
        rest = after;
    }
    replaced + rest
}

impl Inner {
    /// The network mode of a group's containers. If the group has its own namespace, a container that does nothing keeps it, so
    /// that it outlives each of the others.
    pub(super) async fn namespace(&self, plan: &Plan, removal: &Removal) -> Result<String, Error> {
        if self.network == Network::Host {
            return Ok(Network::Host.mode().to_owned());
        }
        pause::import(&self.docker, &self.architecture).await?;
        let extra_hosts = (self.network == Network::Bridge).then(|| vec![format!("{HOST}:host-gateway")]);
        let body = ContainerCreateBody {
            image: Some(pause::IMAGE.to_owned()),
            entrypoint: Some(vec![pause::PATH.to_owned()]),
            labels: Some(self.labels(removal.run())),
            host_config: Some(HostConfig {
                network_mode: Some(self.network.mode().to_owned()),
                extra_hosts,
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let name = format!("{}-network-{}", plan.group, &removal.run()[..8]);
        let (docker, options) =
            (self.docker.clone(), CreateContainerOptions { name: Some(name), ..Default::default() });
        let made = removal.make(async move { docker.create_container(Some(options), body).await }).await?;
        self.docker.start_container(&made.id, None::<StartContainerOptions>).await?;
        Ok(format!("container:{}", made.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_azures_ports_are_reached_by_the_name_of_the_host_and_others_stay() {
        let host = Host::new(Network::Bridge, [5672, 7072]);
        let bus = "Endpoint=sb://127.0.0.1:5672;SharedAccessKeyName=n;UseDevelopmentEmulator=true";
        let expected = "Endpoint=sb://host.docker.internal:5672;SharedAccessKeyName=n;UseDevelopmentEmulator=true";
        assert_eq!(host.reached_in(bus), expected);
        assert_eq!(host.reached_in("http://localhost:7072/msi/token"), "http://host.docker.internal:7072/msi/token");
        for other in ["http://127.0.0.1:8080", "127.0.0.1:56720", "10.127.0.0.1:5672", "my-localhost:5672", "5672"] {
            assert_eq!(host.reached_in(other), other);
        }
    }

    #[test]
    fn on_the_hosts_network_nothing_is_renamed() {
        let host = Host::new(Network::Host, [5672]);
        assert_eq!(host.reached_in("127.0.0.1:5672"), "127.0.0.1:5672");
    }

    #[test]
    fn an_engine_in_a_virtual_machine_is_known() {
        let desktop = SystemInfo { operating_system: Some("Docker Desktop".to_owned()), ..SystemInfo::default() };
        assert_eq!(Network::of(&desktop), Network::Bridge);
        let debian = SystemInfo { operating_system: Some("Debian GNU/Linux 12".to_owned()), ..SystemInfo::default() };
        let here = if cfg!(target_os = "linux") { Network::Host } else { Network::Bridge };
        assert_eq!(Network::of(&debian), here);
    }
}
