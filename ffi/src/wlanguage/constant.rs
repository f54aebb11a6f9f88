//! Constants, each by its English and its French name.

/// Values of the property Option.
#[repr(C)]
pub enum mqttOption {
    /// TLS.
    optionSSL = 1,
}

/// Qualities of service.
#[repr(C)]
pub enum mqttQuality {
    /// QoS 0: at most once; it may be lost.
    mqttQualityAtMostOnce = 0,
    /// QoS 1: at least once; sent until the broker confirms it.
    mqttQualityAtLeastOnce = 1,
    /// QoS 2: exactly once.
    mqttQualityExactlyOnce = 2,
}

/// Qualities of service, by their French names.
#[repr(C)]
pub enum mqttQualite {
    /// QoS 0.
    mqttQualiteAuPlusUneFois = 0,
    /// QoS 1.
    mqttQualiteAuMoinsUneFois = 1,
    /// QoS 2.
    mqttQualiteExactementUneFois = 2,
}
