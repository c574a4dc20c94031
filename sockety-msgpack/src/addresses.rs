//! Addresses in the form that serde has for formats that nobody reads: arrays of bytes, in an enum
//! where there are two kinds. The form of this crate is text.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use crate::{error::Error, reader::Reader};

/// Takes an address, if it is the next value, and returns its text.
pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Option<String>, Error> {
    let (rest, depth) = (reader.rest, reader.depth);
    let address = read_address(reader)?;
    reader.depth = depth;
    if address.is_none() {
        reader.rest = rest;
    }
    Ok(address)
}

fn read_address(reader: &mut Reader<'_>) -> Result<Option<String>, Error> {
    let mut marker = reader.marker()?;
    match reader.enter_map(marker)? {
        Some(1) => {
            let key = reader.marker()?;
            if !matches!(reader.text(key)?, Some("V4" | "V6")) {
                return Ok(None);
            }
            marker = reader.marker()?;
        }
        Some(_) => return Ok(None),
        None => {}
    }
    match reader.enter_array(marker)? {
        Some(2) => read_socket(reader),
        Some(count) => Ok(read_ip(reader, count)?.map(|ip| ip.to_string())),
        None => Ok(None),
    }
}

fn read_socket(reader: &mut Reader<'_>) -> Result<Option<String>, Error> {
    let marker = reader.marker()?;
    let Some(count) = reader.enter_array(marker)? else {
        return Ok(None);
    };
    let Some(ip) = read_ip(reader, count)? else {
        return Ok(None);
    };
    let port = u16::deserialize(reader)?;
    Ok(Some(SocketAddr::new(ip, port).to_string()))
}

fn read_ip(reader: &mut Reader<'_>, count: usize) -> Result<Option<IpAddr>, Error> {
    let mut octets = [0; 16];
    let Some(present) = octets.get_mut(..count) else {
        return Ok(None);
    };
    for octet in present {
        *octet = u8::deserialize(&mut *reader)?;
    }
    Ok(match count {
        4 => octets
            .first_chunk::<4>()
            .map(|octets| IpAddr::from(*octets)),
        16 => Some(IpAddr::from(octets)),
        _ => None,
    })
}
