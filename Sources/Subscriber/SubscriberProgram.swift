// Stage 3, broadcast -> wanted set -> enforcement: fail2ban-subscriber as a program, put together from its configuration.

import Daemon
import Logging
import Wire
import ZeroMQ

/// The program fail2ban-subscriber.
public enum SubscriberProgram: Service {
    public static let programName = "fail2ban-subscriber"
    public static let abstract = "Bans on this host what the cluster bans."
    public static let section = Configuration.Section.subscriber

    public static func check(_ configuration: Configuration) -> [Finding] { SubscriberCheck.findings(configuration) }

    public static func run(_ configuration: Configuration, _ lifecycle: Lifecycle) throws {
        guard let settings = configuration.subscriber else { return }
        let log = Logger(label: programName)
        let keys = try ConnectionKeys(KeyDirectory(configuration.general.keyDirectory), log: log)
        let context = try Context()
        let source = try BroadcastSource(in: context, endpoints: settings.publishers, keys: keys.current)
        let client = RequestClient(in: context, endpoints: settings.replyServers.map(\.description), keys: keys.current)
        let followed = FollowedPlace(path: configuration.general.stateDirectory + "/subscriber.term")
        var service = SubscriberService(
            source: source, client: client, former: followed.read(), protection: try Protection(settings, now: .now, log: log),
            enforcers: enforcers(settings, configuration.general, log), settings: settings, log: log)
        try service.run(
            signals: lifecycle.signals,
            SubscriberService.Links(
                ready: { lifecycle.ready() },
                follow: { position in
                    do throws(SystemError) {
                        try followed.write(position)
                    } catch {
                        log.warning("\(error); after a start, what the publisher does not know stays banned for a while")
                    }
                },
                reload: { apply in
                    lifecycle.reload { next in
                        guard let settings = next.subscriber else { return }
                        try apply(settings)
                    }
                }))
    }

    /// The ways of enforcing that `subscriberaction` names.
    static func enforcers(_ settings: SubscriberSettings, _ general: GeneralSettings, _ log: Logger) -> [any Enforcer] {
        settings.actions.map { action -> any Enforcer in
            switch action {
            case .fail2banClient:
                ClientEnforcer(program: general.fail2banClient, jail: settings.jail, reconcile: settings.reconcile, log: log)
            case .nftables: NftablesEnforcer(reconcile: settings.reconcile, log: log)
            case .log: LogEnforcer(hostname: general.hostname, prefix: settings.prefixFilter)
            case .exec: ExecEnforcer(command: ExecCommand(settings.execCommand), prefix: settings.prefixFilter, log: log)
            case .dryRun: DryRunEnforcer(log: log)
            }
        }
    }
}
