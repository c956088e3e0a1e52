// Threads that share the work of a loop.
#pragma once
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#include <time.h>
#endif

using std::ptrdiff_t;

// The processors that threads may run on: this one, and the others. Other systems than Linux are left to themselves.
#if defined(__linux__)
class Processors {
public:
    Processors() {
        const int now = sched_getcpu();
        if (now < 0 || now >= CPU_SETSIZE || sched_getaffinity(0, sizeof all, &all)) return;
        others = all;
        CPU_CLR(now, &others);
        CPU_ZERO(&here);
        CPU_SET(now, &here);
        known = CPU_COUNT(&others) > 0;
    }
    // Moves a new thread to another processor than this, from where it may go wherever it likes. Linux queues half of all
    // new threads behind the one that started them, though the next processor is idle: they begin after 3 ms instead of
    // .03, when short work is over (2 million labels: 3.9 for 2.1 ms).
    void send_away(std::thread& thread) const { move(thread, others), release(thread); }
    void bring(std::thread& thread) const { move(thread, here); }
    void release(std::thread& thread) const { move(thread, all); }

private:
    cpu_set_t all, others, here;
    bool known = false;

    void move(std::thread& thread, const cpu_set_t& to) const {
        if (known) pthread_setaffinity_np(thread.native_handle(), sizeof to, &to);
    }
};

// Seconds of a processor that a thread has had.
inline double seconds_of(std::thread& thread) {
    clockid_t clock;
    timespec time;
    if (pthread_getcpuclockid(thread.native_handle(), &clock) || clock_gettime(clock, &time)) return 0;
    return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}
#else
struct Processors {
    void send_away(std::thread&) const {}
    void bring(std::thread&) const {}
    void release(std::thread&) const {}
};
inline double seconds_of(std::thread&) { return 0; }
#endif

// Threads that help with one loop after another, and end with this. Helpers wait for the next loop by asking again and
// again for some 50 microseconds, and sleep after that: to start them for each iteration of EM costs 20 to 40.
class Crew {
public:
    explicit Crew(int threads) : threads(threads) {}
    ~Crew() {
        over = true;
        call();
        wait_for(&Helper::stays);
        for (Helper& helper : helpers) helper.thread.join();
    }
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    // Calls work(i) for i in 0..count, on this thread among others.
    template <class Work>
    void each(ptrdiff_t count, const Work& work) {
        std::atomic<ptrdiff_t> next{0};
        std::exception_ptr failure;
        std::mutex failing;
        const auto loop = [&] {
            try {
                for (ptrdiff_t i; (i = next++) < count;) work(i);
            } catch (...) {
                next = count;
                const std::lock_guard<std::mutex> lock(failing);
                failure = std::current_exception();
            }
        };
        hire(std::min<ptrdiff_t>(threads, count) - 1);
        run = [](const void* its) { (*static_cast<decltype(&loop)>(its))(); };
        what = &loop;
        open = true;
        if (!helpers.empty()) call();
        loop();
        open = false;  // who comes now has nothing to do
        wait_for(&Helper::busy);
        if (failure) std::rethrow_exception(failure);
    }

private:
    struct Helper {
        std::thread thread;
        std::atomic<bool> busy{false}, stays{true};
        double spent = 0;  // seconds of a processor, when this thread began to wait for it
    };
    using State = std::atomic<bool> Helper::*;

    static constexpr int kTurns = 2000;
    const int threads;
    std::deque<Helper> helpers;
    std::atomic<ptrdiff_t> calls{0};
    std::atomic<bool> open{false}, over{false}, waits{false};
    void (*run)(const void*) = nullptr;  // changes only while nobody is busy and it is not open
    const void* what = nullptr;
    std::mutex sleeping;
    std::condition_variable called, left;

    static void pause() {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }

    void hire(ptrdiff_t wanted) {
        while (ptrdiff_t(helpers.size()) < wanted) {
            Helper& helper = helpers.emplace_back();
            try {
                helper.thread = std::thread([this, &helper] { help(helper); });
            } catch (const std::exception&) {
                // The system has no more threads to give, or no memory for one: those that started, and this one, work.
                helpers.pop_back();
                return;
            }
            Processors().send_away(helper.thread);
        }
    }

    void call() {
        {
            const std::lock_guard<std::mutex> lock(sleeping);
            ++calls;
        }
        called.notify_all();
    }

    void help(Helper& self) {
        for (ptrdiff_t heard = 0;;) {
            for (int turn = 0; calls == heard && turn < kTurns; ++turn) pause();
            if (calls == heard) {
                std::unique_lock<std::mutex> lock(sleeping);
                called.wait(lock, [&] { return calls != heard; });
            }
            heard = calls;
            if (over) break;
            self.busy = true;
            if (open) run(what);
            leave(self.busy);
        }
        leave(self.stays);
    }

    void leave(std::atomic<bool>& state) {
        state = false;
        if (!waits) return;
        const std::lock_guard<std::mutex> lock(sleeping);
        left.notify_one();
    }

    // Waits until no helper is in a state. One that stands still meanwhile waits for a processor on which another thread
    // runs, like one of BLAS that asks for its next product again and again: it is brought to this one, and this thread
    // sleeps. Without that, both wait for the end of the other's turn (2 million labels: 7.9 for 3.8 ms).
    void wait_for(State state) {
        const auto late = [&](const Helper& helper) { return (helper.*state).load(); };
        const auto any = [&] { return std::any_of(helpers.begin(), helpers.end(), late); };
        if (!any()) return;
        for (Helper& helper : helpers) helper.spent = seconds_of(helper.thread);
        for (int turn = 0; turn < kTurns && any(); ++turn) pause();
        if (!any()) return;
        const Processors processors;
        std::unique_lock<std::mutex> lock(sleeping);
        waits = true;  // whoever is late from here on lives until this thread sleeps: to move the dead moves the caller
        for (Helper& helper : helpers)
            if (late(helper) && seconds_of(helper.thread) == helper.spent) processors.bring(helper.thread);
        left.wait(lock, [&] { return !any(); });
        waits = false;
        for (Helper& helper : helpers)
            if (helper.stays) processors.release(helper.thread);
    }
};

// Calls work(i) for i in 0..count on up to `threads` threads, this one among them. They live for one call: nothing is
// left behind that a fork could break.
template <class Work>
void parallel(ptrdiff_t count, int threads, const Work& work) {
    Crew(threads).each(count, work);
}
