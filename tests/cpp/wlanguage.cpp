// The mqttSession class against a real broker, in English and in French: properties, subscribing
// before connecting, all qualities, procedures, errors. Arguments: host, port.
#include "check.hpp"

using namespace std::chrono_literals;
using mqttsession::wlanguage::ErreurInfo;
using mqttsession::wlanguage::ErrorInfo;
namespace wlanguage = mqttsession::wlanguage;

static bool contains(const std::string &text, const char *part) {
    return text.find(part) != std::string::npos;
}

static void properties() {
    wlanguage::mqttSession session;
    CHECK(session.Address("broker") && session.Text("Adresse") == "broker");
    CHECK(session.Adresse(std::string("other")) && session.Text("Address") == "other");
    CHECK(session.Text("Port") == "1883");
    CHECK(session.Option(wlanguage::optionSSL) && session.Text("Port") == "8883");
    CHECK(session.Option(0) && session.Port(1234) && session.Text("Port") == "1234");
    CHECK(session.Port("2345") && !session.Port(70'000) && session.Text("Port") == "2345");
    CHECK(contains(ErrorInfo(), "70000") && ErreurInfo() == ErrorInfo());
    CHECK(session.ConnectionTimeout(5) && session.Text("ConnectionTimeout") == "5 s");
    CHECK(session.DelaiConnexion(1500ms) && session.Text("ConnectionTimeout") == "1500 ms");
    CHECK(session.TimeoutConnexion("1 min") && session.Text("ConnectionTimeout") == "60 s");
    CHECK(session.CleanSession(false) && session.Text("CleanSession") == "false");
    CHECK(session.SessionPropre("vrai") && session.Text("SessionVide") == "true");
    CHECK(session.SessionVide(true) && session.VersionProtocole("5") && session.ProtocolVersion("3.1.1"));
    CHECK(session.User("me") && session.Utilisateur("me") && session.Text("User") == "me");
    CHECK(session.UserPassword("unguessable") && session.MotDePasseUtilisateur("unguessable"));
    CHECK(session.PrivateKeyPassword("") && session.MotDePasseClePrivee(""));
    CHECK(session.PrivateKey("") && session.ClePrivee("a.pem;b.key"));
    CHECK(session.CACertificate("") && session.CertificatAC("") && session.RepertoireStockage(""));
    CHECK(session.ClientID("me") && session.IDClient("you") && session.Text("ClientID") == "you");
    CHECK(session.Set("ID\xc3\x89L\xc3\x89MENT", "1") == false && !session.Text("Nonsense"));
    CHECK(!session.Text("UserPassword"));
    CHECK(!session.ClientID(std::string("a\0b", 3)));
}

static void failures() {
    wlanguage::mqttSession session;
    const auto ignore = [](auto &&...) {};
    CHECK(session.Publish("a", "b") == -1 && !ErrorInfo().empty());
    CHECK(!session.Connect() && contains(ErrorInfo(), "ClientID"));
    CHECK(!session.Subscribe("a", 3, ignore));
    CHECK(!session.Subscribe("a/#/b", 0, ignore));
    CHECK(session.Unsubscribe("unknown") && session.UnsubscribeAll() && session.Disconnect());
    wlanguage::mqttSession moved(std::move(session));
    CHECK(!session.Connect() && session.Publish("a", "b") == -1 && !session.ClientID("me"));
    CHECK(moved.Disconnect());
}

static void english(const char *host, int port) {
    Counter received, published, destroyed;
    wlanguage::mqttSession session;
    CHECK(session.Address(host) && session.Port(port) && session.ClientID("class-english"));
    CHECK(session.Subscribe("class/+", wlanguage::mqttQualityExactlyOnce,
                            [token = Token(destroyed)](auto &&...) { CHECK(!"replaced"); }));
    CHECK(session.Subscribe(
        "class/+", wlanguage::mqttQualityExactlyOnce,
        [&, token = Token(destroyed)](wlanguage::mqttSession &its, std::string_view topic,
                                      std::string_view data) {
            CHECK(its.get() == session.get() && topic == "class/in" && data == "hello");
            received.add();
        }));
    CHECK(destroyed.value() == 1);
    if (!session.Connect())
        check(false, __FILE__, __LINE__, ErrorInfo().c_str());
    std::int64_t last = -1;
    const auto procedure = [&] {
        return [&, token = Token(destroyed)](wlanguage::mqttSession &its, std::int64_t number) {
            CHECK(its.get() == session.get());
            last = number;
            published.add();
        };
    };
    CHECK(session.Publish("class/in", "hello", false, wlanguage::mqttQualityAtMostOnce,
                          procedure()) == 0);
    CHECK(published.reaches(1) && last == 0);
    CHECK(session.Publish("class/in", std::string("hello"), false,
                          wlanguage::mqttQualityAtLeastOnce, procedure()) > 0);
    CHECK(session.Publish("class/in", {"hello", 5}, false, wlanguage::mqttQualityExactlyOnce,
                          procedure()) > 0);
    CHECK(received.reaches(3));
    CHECK(session.Publish("class/#", "hello", false, 0, procedure()) == -1);
    CHECK(session.Publish("class/in", "hello", false, 3, procedure()) == -1);
    CHECK(session.Unsubscribe("class/+"));
    // Returns after the last procedure.
    CHECK(session.Disconnect() && published.value() == 3);
    CHECK(destroyed.reaches(7) && destroyed.value() == 7);
    CHECK(session.Publish("class/in", "") == -1);
}

static void french(const char *host, int port) {
    Counter received, published, destroyed;
    {
        wlanguage::mqttSession session;
        CHECK(session.Adresse(host) && session.Port(port) && session.IDClient("class-francaise"));
        CHECK(session.VersionProtocole("5") && session.SessionPropre(true));
        if (!session.Connecte())
            check(false, __FILE__, __LINE__, ErreurInfo().c_str());
        CHECK(session.Abonne("class/in", wlanguage::mqttQualiteAuMoinsUneFois,
                             [&, token = Token(destroyed)](auto &, auto, std::string_view data) {
                                 CHECK(data == "bonjour");
                                 received.add();
                             }));
        CHECK(session.Publie("class/in", "bonjour", false,
                             wlanguage::mqttQualiteExactementUneFois,
                             [&](auto &, std::int64_t) { published.add(); }) > 0);
        CHECK(session.Publie("class/in", "bonjour") == 0);
        CHECK(received.reaches(2));
        CHECK(session.Desabonne("class/in") && session.DesabonneTout());
        CHECK(destroyed.value() == 1);
        CHECK(session.Deconnecte() && published.value() == 1);
    }
}

int main(int count, char **arguments) {
    CHECK(count == 3);
    properties();
    failures();
    english(arguments[1], std::atoi(arguments[2]));
    french(arguments[1], std::atoi(arguments[2]));
    check_all_freed();
}
