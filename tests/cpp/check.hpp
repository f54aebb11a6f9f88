// Checks for the C++ tests: the first one that fails says where and why, and ends the program.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <mqttsession.hpp>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <string>

// How long anything may take before it counts as never; not a measure of speed.
inline constexpr std::chrono::seconds deadline{30};

inline void check(bool holds, const char *file, int line, const char *what) {
    if (holds)
        return;
    std::fprintf(stderr, "%s:%d: not so: %s (last error: %s)\n", file, line, what,
                 mqtt_last_error_message());
    std::exit(1);
}

#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)

#ifdef __cpp_exceptions

template <class Call>
void check_throws(mqtt_status expected, Call call, const char *file, int line, const char *what) {
    mqtt_status status = MQTT_OK;
    try {
        call();
    } catch (const mqttsession::Error &error) {
        status = error.status();
    }
    if (status == expected)
        return;
    std::fprintf(stderr, "%s:%d: %s: %s instead of %s\n", file, line, what,
                 mqtt_status_name(status), mqtt_status_name(expected));
    std::exit(1);
}

// An expression that throws the Error of this status.
#define CHECK_THROWS(expected, expression) \
    check_throws( \
        expected, [&] { static_cast<void>(expression); }, __FILE__, __LINE__, #expression)

#endif

// Something that callbacks count and the main thread waits for.
class Counter {
  public:
    // The new value.
    int add() {
        const std::lock_guard<std::mutex> lock(mutex_);
        changed_.notify_all();
        return ++value_;
    }

    int value() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return value_;
    }

    // Whether it has reached this in time.
    bool reaches(int least) {
        std::unique_lock<std::mutex> lock(mutex_);
        return changed_.wait_for(lock, deadline, [&] { return value_ >= least; });
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int value_ = 0;
};

// What a callable captures to have its own end counted. It can only be moved, as some callables.
class Token {
  public:
    explicit Token(Counter &ended) : ended_(&ended) {}
    Token(Token &&other) noexcept : ended_(std::exchange(other.ended_, nullptr)) {}
    Token &operator=(Token &&) = delete;
    ~Token() {
        if (ended_)
            ended_->add();
    }

  private:
    Counter *ended_;
};

// A session that is connected.
inline mqttsession::Session connected(const char *address, const char *client_id) {
    mqttsession::Session session(mqttsession::Options().address(address).client_id(client_id));
    session.connect(deadline);
    return session;
}

// Everything has been freed.
inline void check_all_freed() { CHECK(mqtt_library_live_objects() == 0); }

#endif
