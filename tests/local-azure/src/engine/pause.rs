//! The image of the container that keeps a group's network namespace: one program, which does nothing.
//!
//! It is built here, because a registry may be out of reach: an ELF file of a few instructions.

use bollard::Docker;
use bollard::errors::Error;

use super::archive;

/// Its name.
pub(super) const IMAGE: &str = "aci-scaler-local-azure-pause:1";
/// The program in it.
pub(super) const PATH: &str = "/pause";

/// Imports the image unless the engine has it.
pub(super) async fn import(docker: &Docker, architecture: &str) -> Result<(), Error> {
    if docker.inspect_image(IMAGE).await.is_ok() {
        return Ok(());
    }
    archive::import(docker, IMAGE, &[(PATH, &program(architecture))], &[PATH]).await
}

/// `loop { pause() }`; where there is no such call, `loop { ppoll(NULL, 0, NULL, NULL) }`.
fn program(architecture: &str) -> Vec<u8> {
    let (machine, code): (u16, &[u8]) = match architecture {
        "aarch64" | "arm64" => (
            183,
            &[
                0x00, 0x00, 0x80, 0xd2, // mov x0, #0
                0x01, 0x00, 0x80, 0xd2, // mov x1, #0
                0x02, 0x00, 0x80, 0xd2, // mov x2, #0
                0x03, 0x00, 0x80, 0xd2, // mov x3, #0
                0x28, 0x09, 0x80, 0xd2, // mov x8, #73
                0x01, 0x00, 0x00, 0xd4, // svc #0
                0xfa, 0xff, 0xff, 0x17, // b -24
            ],
        ),
        // mov eax, 34; syscall; jmp -9
        _ => (62, &[0xb8, 0x22, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xeb, 0xf7]),
    };
    elf(machine, code)
}

/// A static executable of 64 bits: a header, one segment that is the whole file, and the code.
fn elf(machine: u16, code: &[u8]) -> Vec<u8> {
    const ADDRESS: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
    file.resize(16, 0);
    file.extend(2u16.to_le_bytes());
    file.extend(machine.to_le_bytes());
    file.extend(1u32.to_le_bytes());
    for word in [ADDRESS + HEADERS, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 1, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    let size = HEADERS + code.len() as u64;
    file.extend(1u32.to_le_bytes());
    file.extend(5u32.to_le_bytes());
    for word in [0, ADDRESS, ADDRESS, size, size, 0x1_0000] {
        file.extend(word.to_le_bytes());
    }
    file.extend(code);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_an_executable_whose_entry_is_its_code() {
        for (architecture, machine, length) in [("x86_64", 62, 9), ("aarch64", 183, 28)] {
            let file = program(architecture);
            assert_eq!(file[..5], [0x7f, b'E', b'L', b'F', 2]);
            assert_eq!((file[18], file.len()), (machine, 120 + length));
            assert_eq!(u64::from_le_bytes(file[24..32].try_into().unwrap()), 0x40_0078);
        }
    }
}
