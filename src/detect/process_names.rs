//! What kind of process a dump is of, by names that every such process holds: no secret, but the clue to hunt for what only such a
//! process keeps.

use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Rule};
use crate::hunt::Clue;
use crate::window::Window;

/// Names, and what they say.
///
/// A runtime with a heap of objects, OpenJDK or .NET, holds the name of the class that all others derive from, or of the library that it is
/// in (`hunt::managed_octets`). A process of Windows that may log on with passwords holds the name of the function that takes them or of
/// the library that has it, as the system and as programs write it: among its imports, in its list of modules, or in the dump's
/// (`hunt::windows_logons`). A server of Redis, from 3.2 on, or of what came from it has the names of all commands
/// (`hunt::redis_passwords`). wpa_supplicant has its own name (`hunt::wireless_networks`), and so has OpenVPN, which tells scripts by a variable how
/// it was started (`hunt::openvpn_passwords`). A server of OpenLDAP has the names of its own settings (`hunt::directory_passwords`).
/// Whoever uses Kerberos has read its settings (`hunt::kerberos_keys`), and strongSwan and BIND have loaded libraries of their own
/// (`hunt::ike_secrets`, `hunt::tsig_keys`). V8 has the name of a property of errors, which all programs in JavaScript can set (`hunt::digits`).
/// hostapd (`hunt::access_points`), snmpd, or the library that it and others are built upon (`hunt::snmp_users`), have their own names, and
/// HAProxy has variables that it sets itself (`hunt::haproxy_users`). A process of PostgreSQL says before all else in its title that it is one,
/// and pgbouncer has its name (`hunt::postgres_logins`). FreeRADIUS has its dictionary of attributes (`hunt::radius_users`).
const NAMES: [(&str, Clue); 27] = [
    ("java/lang/Object", Clue::ManagedHeap),
    ("System.Private.CoreLib", Clue::ManagedHeap),
    ("AcquireCredentialsHandle", Clue::WindowsLogons),
    ("CredReadW", Clue::WindowsLogons),
    ("advapi32.dll", Clue::WindowsLogons),
    ("ADVAPI32.dll", Clue::WindowsLogons),
    ("sspicli.dll", Clue::WindowsLogons),
    ("SspiCli.dll", Clue::WindowsLogons),
    ("secur32.dll", Clue::WindowsLogons),
    ("SECUR32.dll", Clue::WindowsLogons),
    ("georadiusbymember_ro", Clue::Redis),
    ("wpa_supplicant\0", Clue::WpaSupplicant),
    ("openvpn\0", Clue::OpenVpn),
    ("openvpn.exe\0", Clue::OpenVpn),
    ("daemon_log_redirect=", Clue::OpenVpn),
    ("olcRootPW", Clue::OpenLdap),
    ("libdefaults", Clue::Kerberos),
    ("libstrongswan", Clue::StrongSwan),
    ("libisccfg", Clue::Bind),
    ("stackTraceLimit", Clue::V8),
    ("hostapd\0", Clue::Hostapd),
    ("snmpd\0", Clue::NetSnmp),
    ("libnetsnmp.so", Clue::NetSnmp),
    ("postgres: ", Clue::PostgreSqlServer),
    ("pgbouncer\0", Clue::PostgreSqlServer),
    ("Cleartext-Password\0", Clue::FreeRadius),
    ("HAPROXY_LOCALPEER=", Clue::HaProxy),
];

/// Tells what such names say.
pub struct ProcessNames;

impl Detector for ProcessNames {
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(NAMES.iter().map(|(name, _)| Literal::text(name)).collect())
    }

    fn reach(&self) -> Reach {
        Reach { before: 0, after: 0 }
    }

    fn confirm(&self, candidate: Candidate, _window: &Window<'_>, out: &mut Hits) {
        out.clues.extend(NAMES.get(candidate.literal).map(|(_, clue)| clue.clone()));
    }

    fn looks_under(&self, _encoding: Encoding) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::clues;

    #[test]
    fn names_are_told_and_what_is_like_them_is_not() {
        for (name, clue) in NAMES {
            let wide: Vec<u8> = name.bytes().flat_map(|byte| [byte, 0]).collect();
            for text in [name.as_bytes(), &wide] {
                assert_eq!(
                    clues(&ProcessNames, &[b"\0\0", text, b"\0\0"].concat()),
                    std::slice::from_ref(&clue),
                    "{name}"
                );
            }
        }
        assert!(clues(&ProcessNames, b"java/lang/Objec AcquireCredentials kernel32.dll").is_empty());
    }
}
