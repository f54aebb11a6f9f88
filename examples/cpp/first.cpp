// Subscribes, publishes at each quality of service, prints what comes back, and leaves.
//
//     c++ -std=c++17 first.cpp $(pkg-config --cflags --libs mqttsession) -o first
//     ./first mqtt://localhost

#include <mqttsession.hpp>

#include <future>
#include <iostream>

using mqttsession::QoS;

int main(int count, char **arguments) try {
    // What the handler uses is declared before the session, and so outlives it.
    std::promise<void> all_received;
    int received = 0;

    mqttsession::Session session(
        mqttsession::Options().address(count > 1 ? arguments[1] : "mqtt://localhost"));
    session.connect();

    // The handler runs on a thread of the library.
    session.subscribe("greeting/#", QoS::exactly_once, [&](const mqttsession::Message &message) {
        std::cout << message.topic() << ": " << message.payload() << '\n';
        if (++received == 3)
            all_received.set_value();
    });

    session.publish("greeting/cpp", "at most once", QoS::at_most_once);
    session.publish("greeting/cpp", "at least once", QoS::at_least_once);
    session.publish("greeting/cpp", "exactly once", QoS::exactly_once);

    all_received.get_future().wait();
    session.disconnect();
} catch (const mqttsession::Error &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
