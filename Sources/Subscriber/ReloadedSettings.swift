// Stage 3, broadcast -> wanted set -> enforcement: which settings a reload takes over.

import Daemon

extension SubscriberSettings {
    /// Whether everything that differs between the two takes effect by a reload.
    func needsNoRestart(after old: SubscriberSettings) -> Bool {
        var same = old
        same.ignoreip = ignoreip
        same.minPrefix4 = minPrefix4
        same.minPrefix6 = minPrefix6
        same.protectLogins = protectLogins
        return same == self
    }
}
