// Uniform random numbers: those of NumPy's default generator, PCG64 (O'Neill 2014) seeded by its SeedSequence.
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include "calling.h"

namespace {

// Numbers of 128 bits, which not every compiler has.
struct Wide {
    std::uint64_t high, low;
};

Wide operator+(Wide a, Wide b) {
    const std::uint64_t low = a.low + b.low;
    return {a.high + b.high + (low < a.low), low};
}

Wide operator*(Wide a, Wide b) {
    const std::uint64_t mask = 0xffffffffu, a0 = a.low & mask, a1 = a.low >> 32, b0 = b.low & mask, b1 = b.low >> 32;
    const std::uint64_t middle = (a0 * b0 >> 32) + (a1 * b0 & mask) + a0 * b1;
    const std::uint64_t carried = a1 * b1 + (a1 * b0 >> 32) + (middle >> 32);
    return {carried + a.high * b.low + a.low * b.high, a.low * b.low};
}

constexpr Wide kMultiplier{2549297995355413924u, 4865540595714422341u};

struct Generator {
    Wide state, increment;

    explicit Generator(const std::vector<std::uint32_t>& seed) {
        // Four words that hold all of the seed, of which eight more are made.
        std::uint32_t pool[4], constant = 0x43b0d7e5u;
        const auto hashed = [&](std::uint32_t value, std::uint32_t factor) {
            value ^= constant;
            constant *= factor;
            value *= constant;
            return value ^ value >> 16;
        };
        const auto mixed = [&](std::uint32_t x, std::uint32_t y) {
            const std::uint32_t both = 0xca01f9ddu * x - 0x4973f715u * hashed(y, 0x931e8875u);
            return both ^ both >> 16;
        };
        for (size_t i = 0; i < 4; ++i) pool[i] = hashed(i < seed.size() ? seed[i] : 0, 0x931e8875u);
        for (size_t from = 0; from < 4; ++from)
            for (size_t to = 0; to < 4; ++to)
                if (from != to) pool[to] = mixed(pool[to], pool[from]);
        for (size_t from = 4; from < seed.size(); ++from)
            for (std::uint32_t& to : pool) to = mixed(to, seed[from]);
        constant = 0x8b51f9ddu;
        std::uint64_t words[4];
        for (size_t i = 0; i < 4; ++i) {
            const std::uint64_t low = hashed(pool[2 * i % 4], 0x58f38dedu);
            words[i] = low | std::uint64_t(hashed(pool[(2 * i + 1) % 4], 0x58f38dedu)) << 32;
        }
        increment = {words[2] << 1 | words[3] >> 63, words[3] << 1 | 1};
        state = increment + Wide{words[0], words[1]};
        step();
    }

    void step() { state = state * kMultiplier + increment; }

    // Goes so many numbers on at once (Brown 1994).
    void skip(std::uint64_t count) {
        Wide factor{0, 1}, added{0, 0}, times = kMultiplier, plus = increment;
        for (; count; count >>= 1) {
            if (count & 1) {
                factor = factor * times;
                added = added * times + plus;
            }
            plus = (times + Wide{0, 1}) * plus;
            times = times * times;
        }
        state = factor * state + added;
    }

    double next() {
        step();
        const std::uint64_t both = state.high ^ state.low, turn = state.high >> 58;
        return double((both >> turn | both << (-turn & 63)) >> 11) * (1.0 / 9007199254740992.0);
    }
};

nb::ndarray<nb::numpy, double> uniform(const std::vector<std::uint32_t>& seed, std::uint64_t first, size_t count) {
    Numbers numbers(count);
    {
        const nb::gil_scoped_release unlocked;
        Generator generator(seed);
        generator.skip(first);
        for (double& number : numbers) number = generator.next();
    }
    return given(numbers, {count});
}

}  // namespace

void bind_chance(nb::module_& m) { m.def("uniform", &uniform, nb::arg(), nb::arg(), nb::arg()); }
