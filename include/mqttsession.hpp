/*
 * mqttsession.hpp - an MQTT client for C++17: protocol 3.1, 3.1.1 and 5.0.
 *
 * A first program:
 *
 *     mqttsession::Session session(mqttsession::Options().address("mqtt://localhost"));
 *     session.connect();
 *     session.subscribe("greeting/#", mqttsession::QoS::at_least_once,
 *                       [](const auto &message) { std::cout << message.payload() << '\n'; });
 *     session.publish("greeting/cpp", "hello", mqttsession::QoS::at_least_once);
 *     session.disconnect();
 *
 * This header is a thin layer over mqttsession.h, whose comments are the manual: a function here
 * does what the C function of its name does. What C++ adds:
 *
 * # Errors, in two forms
 *
 * A function that fails throws Error. The same function with std::nothrow as its first argument
 * returns a Result instead, which holds the value or the Error. Objects that are filled step by
 * step (Options, Properties and their like) remember their first failure when they were made with
 * std::nothrow, and whatever they are then given to fails with it. The header compiles without
 * exceptions too; an Error that nobody asked for then ends the program.
 *
 * # Owners
 *
 * Every object is the only owner of its C object, can be moved and not copied, and ends it when it
 * is destroyed. get() gives the C object, for the functions of mqttsession.h that have no twin
 * here. A moved-from object answers everything with MQTT_INVALID_ARGUMENT. Any order of destruction
 * is right: what outlives its session answers MQTT_CLOSED or MQTT_CANCELLED.
 *
 * # Payloads
 *
 * What a function takes as Bytes it borrows for the call. Session::publish also takes a std::string
 * or std::vector of bytes that is moved in, or a Lent with any other owner: a large payload (from 16
 * KiB on) is then sent from where it lies, and let go of when the session has done with it.
 *
 * # Callbacks
 *
 * Any callable is taken, move-only ones too, and lives until its last call has returned. Calls of
 * one session come one at a time, on a thread of the library. The destructor of Session waits for
 * a running one unless it runs inside a callback itself: so let what callbacks use outlive the
 * session, and hold no lock that they take while it is destroyed.
 *
 * An exception that leaves a callback is caught: a message counts as failed (mqtt_message_fail),
 * and the exception goes to the hook that on_callback_exception has set, by default one line on
 * standard error. An Error that leaves an authenticator or a source of credentials is its answer.
 *
 * This file includes the parts, each of which can also be included alone.
 */

#ifndef MQTTSESSION_HPP
#define MQTTSESSION_HPP

#include "mqttsession/authentication.hpp"
#include "mqttsession/connection.hpp"
#include "mqttsession/error.hpp"
#include "mqttsession/event.hpp"
#include "mqttsession/lent.hpp"
#include "mqttsession/log.hpp"
#include "mqttsession/message.hpp"
#include "mqttsession/operation.hpp"
#include "mqttsession/options.hpp"
#include "mqttsession/outcome.hpp"
#include "mqttsession/property.hpp"
#include "mqttsession/request.hpp"
#include "mqttsession/session.hpp"
#include "mqttsession/store.hpp"
#include "mqttsession/value.hpp"
#include "mqttsession/wlanguage.hpp"

#endif
