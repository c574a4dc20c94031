//! What typed methods carry: the parts of their parameters and results.

use super::outgoing;
use crate::{
    content::{byte_stream::ByteStream, file::File, received::Carried, streaming::Streaming},
    error::{content::ContentError, service::ServiceError},
    msgpack::__private::Entries,
    payload::{
        Payload, PayloadLimits,
        encoding::Encoding,
        format::Format,
        parameters::{self, ParameterWriter, decode_within},
        payload_bytes::PayloadBytes,
    },
};

/// Parts on their way out.
#[derive(Debug)]
pub struct Content {
    outgoing: outgoing::Content,
}

impl Default for Content {
    fn default() -> Self {
        Self::new()
    }
}

impl From<outgoing::Content> for Content {
    fn from(outgoing: outgoing::Content) -> Self {
        Self { outgoing }
    }
}

impl Content {
    /// Nothing yet.
    #[inline]
    pub fn new() -> Self {
        Self {
            outgoing: Encoding::from(PayloadBytes::EMPTY).into(),
        }
    }

    /// The payload.
    #[inline]
    pub fn payload<T>(mut self, format: Format<T>, value: &T) -> Self {
        self.outgoing.payload = format.encoding(value).map_err(Box::new);
        self
    }

    /// The payload, made of several parameters.
    pub fn parameters(mut self, count: u16, write: impl FnOnce(&mut ParameterWriter<'_>)) -> Self {
        self.outgoing.payload = parameters::encode(count, write)
            .map(Encoding::from)
            .map_err(Box::new);
        self
    }

    /// The next file.
    pub fn file(mut self, file: File) -> Self {
        self.outgoing.carrying().add_file(file);
        self
    }

    /// The rest of the files.
    pub fn files(self, files: Vec<File>) -> Self {
        files.into_iter().fold(self, Self::file)
    }

    /// The stream, of bytes.
    pub fn bytes(mut self, stream: ByteStream) -> Self {
        self.outgoing.carrying().set_stream(stream);
        self
    }

    /// The stream, of items.
    pub fn streaming<T: Payload + Send + 'static, E: ServiceError>(
        self,
        stream: Streaming<T, E>,
    ) -> Self {
        self.bytes(stream.into_bytes())
    }

    #[inline]
    pub(crate) fn into_outgoing(self) -> outgoing::Content {
        self.outgoing
    }
}

/// Parts that came, taken in order.
#[derive(Debug)]
pub struct Received {
    payload: PayloadBytes,
    carried: Carried,
    taken_files: usize,
    limits: PayloadLimits,
}

impl Received {
    pub(crate) fn new(payload: PayloadBytes, carried: Carried, limits: PayloadLimits) -> Self {
        Self {
            payload,
            carried,
            taken_files: 0,
            limits,
        }
    }

    /// The payload.
    ///
    /// # Errors
    /// [`ContentError::Decode`].
    pub fn payload<T>(&mut self, format: Format<T>) -> Result<T, ContentError> {
        let bounds = &self.limits.bounds;
        Ok(match &self.payload {
            PayloadBytes::Few { .. } => format.decode_slice(&self.payload, bounds)?,
            PayloadBytes::Many { bytes, .. } => format.decode(bytes, bounds)?,
        })
    }

    /// The payload, made of several parameters.
    ///
    /// # Errors
    /// [`ContentError::Decode`].
    pub fn parameters<P: Entries>(&mut self, parameters: P) -> Result<P::Values, ContentError> {
        let bounds = &self.limits.bounds;
        Ok(decode_within(&self.payload, bounds, parameters)?)
    }

    /// The next file.
    ///
    /// # Errors
    /// [`ContentError::MissingFile`].
    pub fn file(&mut self) -> Result<File, ContentError> {
        let present = self.taken_files;
        let file = self
            .carried
            .take_file()
            .ok_or(ContentError::MissingFile { present })?;
        self.taken_files += 1;
        Ok(file)
    }

    /// The rest of the files.
    pub fn files(&mut self) -> Vec<File> {
        self.carried.take_files()
    }

    /// The stream, of bytes.
    ///
    /// # Errors
    /// [`ContentError::MissingStream`].
    pub fn bytes(&mut self) -> Result<ByteStream, ContentError> {
        self.carried
            .take_stream()
            .ok_or(ContentError::MissingStream)
    }

    /// The stream, of items.
    ///
    /// # Errors
    /// [`ContentError::MissingStream`].
    pub fn streaming<T, E>(&mut self) -> Result<Streaming<T, E>, ContentError> {
        let limits = self.limits;
        self.bytes().map(|bytes| Streaming::received(bytes, limits))
    }
}
