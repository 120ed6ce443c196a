//! Before AMQP: SASL, with which a client says how it will authenticate.

use std::io;

use fe2o3_amqp_types::primitives::{Array, Binary, Symbol};
use fe2o3_amqp_types::sasl::{SaslCode, SaslInit, SaslMechanisms, SaslOutcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::frame::{self, MAX_FRAME_SIZE};
use crate::service_bus::ServiceBusConfig;

/// What a client has proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authentication {
    /// Nothing yet: it must put tokens.
    Anonymous,
    /// That it has the policy's key, for the whole connection.
    SharedKey,
}

/// Runs SASL and exchanges the protocol headers.
///
/// The service offers these mechanisms, in this order. MSSBCBS is what .NET asks for; like ANONYMOUS, it says that
/// tokens follow. The content of an anonymous client's response does not matter (rhea sends the key's name).
///
/// # Errors
/// When the client does not speak SASL, or its credentials are refused, which it has been sent.
pub(super) async fn run(stream: &mut TcpStream, config: &ServiceBusConfig) -> io::Result<Authentication> {
    let header = read_header(stream).await?;
    stream.write_all(SASL_HEADER).await?;
    if header != *SASL_HEADER {
        return Err(io::Error::other("the client does not begin with SASL"));
    }
    let mechanisms = ["MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"].map(Symbol::from).to_vec();
    let mechanisms = SaslMechanisms { sasl_server_mechanisms: Array::from(mechanisms) };
    stream.write_all(&frame::frame(frame::SASL, 0, &mechanisms, &[])).await?;

    let init = read_init(stream).await?;
    let authentication = match init.mechanism.as_str() {
        "MSSBCBS" | "ANONYMOUS" => Some(Authentication::Anonymous),
        "PLAIN" => init.initial_response.and_then(|response| plain(&response, config)),
        _ => None,
    };
    let outcome = match authentication {
        Some(_) => SaslOutcome { code: SaslCode::Ok, additional_data: Some(Binary::from(b"Welcome!".to_vec())) },
        None => SaslOutcome { code: SaslCode::Auth, additional_data: None },
    };
    stream.write_all(&frame::frame(frame::SASL, 0, &outcome, &[])).await?;
    let authentication = authentication.ok_or_else(|| io::Error::other("the client's credentials are refused"))?;

    let header = read_header(stream).await?;
    stream.write_all(AMQP_HEADER).await?;
    if header != *AMQP_HEADER {
        return Err(io::Error::other("the client does not speak AMQP 1.0"));
    }
    Ok(authentication)
}

/// Answers the client's header, and then with a frame that is none, until the client goes.
pub(super) async fn break_off(stream: &mut TcpStream) -> io::Result<()> {
    read_header(stream).await?;
    stream.write_all(SASL_HEADER).await?;
    stream.write_all(&frame::BROKEN).await?;
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

const SASL_HEADER: &[u8; 8] = b"AMQP\x03\x01\x00\x00";
const AMQP_HEADER: &[u8; 8] = b"AMQP\x00\x01\x00\x00";

async fn read_header(stream: &mut TcpStream) -> io::Result<[u8; 8]> {
    let mut header = [0; 8];
    stream.read_exact(&mut header).await?;
    Ok(header)
}

async fn read_init(stream: &mut TcpStream) -> io::Result<SaslInit> {
    let size = stream.read_u32().await?;
    // Size, offset, type and channel make eight bytes.
    if !(8..=MAX_FRAME_SIZE).contains(&size) {
        return Err(io::Error::other("a SASL frame of an impossible size"));
    }
    let mut frame = vec![0; size as usize - 4];
    stream.read_exact(&mut frame).await?;
    serde_amqp::from_slice(&frame[4..]).map_err(io::Error::other)
}

/// RFC 4616: an optional identity, the policy's name and its key, each except the first after a zero byte.
fn plain(response: &[u8], config: &ServiceBusConfig) -> Option<Authentication> {
    let mut parts = response.split(|byte| *byte == 0).skip(1);
    let (name, key) = (parts.next()?, parts.next()?);
    (name == config.key_name.as_bytes() && key == config.key.as_bytes()).then_some(Authentication::SharedKey)
}
