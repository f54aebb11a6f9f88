//! A packet's properties: read where they arrived, or gathered to be sent.

use std::fmt;

use super::{
    EncodeError, Place, Property, PropertyIdentifier, Violation,
    property::Flaw,
    wire::{Reader, Writer, read_variable},
};

/// Which properties are present: bit `n` for identifier `n`.
type Present = u64;

/// Set beside the Subscription Identifier's own bit when there is more than one.
const REPEATED: Present = 1 << 63;

/// What may be present in each place, by the place's number.
static ALLOWED: [Present; 16] = {
    let mut table = [0; 16];
    table[Place::Will as usize] = allowed(Place::Will);
    table[Place::Connect as usize] = allowed(Place::Connect);
    table[Place::Connack as usize] = allowed(Place::Connack);
    // The server names every subscription that a message matches.
    table[Place::Publish as usize] = allowed(Place::Publish) | REPEATED;
    table[Place::Puback as usize] = allowed(Place::Puback);
    table[Place::Pubrec as usize] = allowed(Place::Pubrec);
    table[Place::Pubrel as usize] = allowed(Place::Pubrel);
    table[Place::Pubcomp as usize] = allowed(Place::Pubcomp);
    table[Place::Subscribe as usize] = allowed(Place::Subscribe);
    table[Place::Suback as usize] = allowed(Place::Suback);
    table[Place::Unsubscribe as usize] = allowed(Place::Unsubscribe);
    table[Place::Unsuback as usize] = allowed(Place::Unsuback);
    table[Place::Disconnect as usize] = allowed(Place::Disconnect);
    table[Place::Auth as usize] = allowed(Place::Auth);
    table
};

const fn allowed(place: Place) -> Present {
    let mut present = 0;
    let mut at = 0;
    while at < PropertyIdentifier::ALL.len() {
        let identifier = PropertyIdentifier::ALL[at];
        if identifier.allowed_in(place) {
            present |= bit(identifier);
        }
        at += 1;
    }
    present
}

const fn bit(identifier: PropertyIdentifier) -> Present {
    1 << identifier as u8
}

/// What is present once this property has joined.
fn join(present: Present, identifier: PropertyIdentifier) -> Result<Present, Violation> {
    let bit = bit(identifier);
    match identifier {
        _ if present & bit == 0 => Ok(present | bit),
        PropertyIdentifier::UserProperty => Ok(present),
        PropertyIdentifier::SubscriptionIdentifier => Ok(present | REPEATED),
        _ => Err(identifier.violation(Flaw::Repeated)),
    }
}

/// What is wrong with the first of these properties, which must not be present in this place.
#[cold]
fn misplaced(strange: Present, place: Place) -> Violation {
    let of_these = |&&identifier: &&PropertyIdentifier| strange & bit(identifier) != 0;
    let violation = match PropertyIdentifier::ALL.iter().find(of_these) {
        Some(identifier) => identifier.violation(Flaw::Misplaced),
        // What is left is the mark of a second Subscription Identifier.
        None => PropertyIdentifier::SubscriptionIdentifier.violation(Flaw::Repeated),
    };
    violation.on(place.packet_type())
}

/// The properties of a packet, as they stand there without their length; every one has been checked.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Properties<'a> {
    raw: &'a [u8],
    present: Present,
}

impl<'a> Properties<'a> {
    /// No properties; also the properties of every packet before 5.0.
    pub const EMPTY: Properties<'static> = Properties { raw: &[], present: 0 };

    /// Checks the bytes behind a property length.
    ///
    /// # Errors
    ///
    /// A property that does not exist, does not belong here, stands twice, is cut off or has a value
    /// that it must not have.
    pub fn parse(raw: &'a [u8], place: Place) -> Result<Self, Violation> {
        if let Some(alone) = Self::parse_identifier(raw, place) {
            return Ok(alone);
        }
        let packet = place.packet_type();
        let mut reader = Reader::new(packet, raw);
        let mut present = 0;
        while !reader.is_empty() {
            let property = Property::read(&mut reader).map_err(|violation| violation.on(packet))?;
            present = property
                .check()
                .and_then(|()| join(present, property.identifier()))
                .map_err(|violation| violation.on(packet))?;
        }
        let properties = Self { raw, present };
        properties.check_place(place)?;
        Ok(properties)
    }

    /// A subscription identifier and nothing else: what most messages come with, and the one thing
    /// that is worth a look ahead.
    #[inline]
    fn parse_identifier(raw: &'a [u8], place: Place) -> Option<Self> {
        let (&first, value) = raw.split_first()?;
        if first != PropertyIdentifier::SubscriptionIdentifier as u8 || place != Place::Publish {
            return None;
        }
        match read_variable(value) {
            Ok(Some((1.., length))) if length == value.len() => {
                Some(Self { raw, present: bit(PropertyIdentifier::SubscriptionIdentifier) })
            }
            _ => None,
        }
    }

    /// The bytes, without their length.
    #[inline]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The properties in the order in which they stand.
    pub const fn iter(&self) -> PropertyIter<'a> {
        // The packet type only serves error messages, and there are no more errors here.
        PropertyIter { reader: Reader::new(Place::Publish.packet_type(), self.raw) }
    }

    /// The user properties, name and value, in their order.
    pub fn user_properties(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let properties = self.only_if(PropertyIdentifier::UserProperty);
        properties.iter().filter_map(|property| match property {
            Property::UserProperty(name, value) => Some((name, value)),
            _ => None,
        })
    }

    /// The subscription identifiers in their order.
    pub fn subscription_identifiers(&self) -> impl Iterator<Item = u32> + use<'a> {
        let properties = self.only_if(PropertyIdentifier::SubscriptionIdentifier);
        properties.iter().filter_map(|property| match property {
            Property::SubscriptionIdentifier(identifier) => Some(identifier),
            _ => None,
        })
    }

    /// Whether there is such a property.
    #[inline]
    pub const fn contains(&self, identifier: PropertyIdentifier) -> bool {
        self.present & bit(identifier) != 0
    }

    /// Where the four bytes of the message expiry interval begin in [`as_bytes`](Self::as_bytes), for
    /// whoever keeps an encoded message and must write down the time that remains.
    pub fn message_expiry_interval_at(&self) -> Option<usize> {
        let mut properties = self.only_if(PropertyIdentifier::MessageExpiryInterval).iter();
        while let Some(property) = properties.next() {
            if let Property::MessageExpiryInterval(_) = property {
                return Some(self.raw.len() - properties.reader.remaining() - size_of::<u32>());
            }
        }
        None
    }

    /// The first property of this kind.
    #[inline]
    pub(super) fn find(&self, identifier: PropertyIdentifier) -> Option<Property<'a>> {
        // Most packets have none at all.
        if self.is_empty() { None } else { self.look_for(identifier) }
    }

    fn look_for(&self, identifier: PropertyIdentifier) -> Option<Property<'a>> {
        self.only_if(identifier).iter().find(|property| property.identifier() == identifier)
    }

    /// Checks that each property may stand in this place.
    #[inline]
    pub(super) fn check_place(&self, place: Place) -> Result<(), Violation> {
        match self.present & !ALLOWED[place as usize] {
            0 => Ok(()),
            strange => Err(misplaced(strange, place)),
        }
    }

    /// Checks that there are none, as before 5.0.
    #[inline]
    pub(super) fn check_absent(&self) -> Result<(), EncodeError> {
        if self.is_empty() { Ok(()) } else { Err(EncodeError::NotInVersion("properties")) }
    }

    /// These properties if one of this kind is among them, else none: it saves a walk.
    fn only_if(&self, identifier: PropertyIdentifier) -> Self {
        if self.contains(identifier) { *self } else { Self::EMPTY }
    }
}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for Properties<'a> {
    type Item = Property<'a>;
    type IntoIter = PropertyIter<'a>;

    fn into_iter(self) -> PropertyIter<'a> {
        self.iter()
    }
}

/// The properties of a packet, one after the other.
#[derive(Clone)]
pub struct PropertyIter<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for PropertyIter<'a> {
    type Item = Property<'a>;

    fn next(&mut self) -> Option<Property<'a>> {
        if self.reader.is_empty() {
            return None;
        }
        Property::read(&mut self.reader).ok()
    }
}

impl fmt::Debug for PropertyIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// Properties that are gathered to be sent. An empty one owns no memory.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PropertyBlock {
    raw: Vec<u8>,
    present: Present,
}

impl PropertyBlock {
    /// No properties.
    pub const fn new() -> Self {
        Self { raw: Vec::new(), present: 0 }
    }

    /// Appends a property.
    ///
    /// Whether it belongs to the packet is checked when the packet is encoded.
    ///
    /// # Errors
    ///
    /// A value that the property must not have, a text or bytes longer than 65,535 bytes, U+0000 in
    /// a text, a second property of a kind that may stand only once. The block is then as it was.
    pub fn push(&mut self, property: Property<'_>) -> Result<(), EncodeError> {
        property.check()?;
        let present = join(self.present, property.identifier())?;
        let length = self.raw.len();
        if let Err(error) = property.write(&mut Writer::new(&mut self.raw)) {
            self.raw.truncate(length);
            return Err(error);
        }
        self.present = present;
        Ok(())
    }

    /// Removes every property of this kind.
    pub fn remove(&mut self, identifier: PropertyIdentifier) {
        if !self.as_properties().contains(identifier) {
            return;
        }
        let mut kept = Vec::with_capacity(self.raw.len());
        let mut rest = self.as_properties().iter();
        loop {
            let before = rest.reader.rest();
            let Some(property) = rest.next() else { break };
            if property.identifier() != identifier {
                kept.extend_from_slice(&before[..before.len() - rest.reader.remaining()]);
            }
        }
        self.present &= !bit(identifier);
        if identifier == PropertyIdentifier::SubscriptionIdentifier {
            self.present &= !REPEATED;
        }
        self.raw = kept;
    }

    /// The properties gathered so far.
    #[inline]
    pub fn as_properties(&self) -> Properties<'_> {
        Properties { raw: &self.raw, present: self.present }
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }
}

impl From<Properties<'_>> for PropertyBlock {
    fn from(properties: Properties<'_>) -> Self {
        Self { raw: properties.raw.to_vec(), present: properties.present }
    }
}

impl fmt::Debug for PropertyBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_properties().fmt(f)
    }
}
