// What the Python sides of the kernels share: the best instruction set, and complaints.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "crew.h"
#include "kernels.h"

namespace nb = nanobind;
using std::ptrdiff_t;
using namespace gmmseg;

// In gaps_module.cpp: the functions of samples each of which lacks features of its own.
void bind_gaps(nb::module_& m);
// In climbing.cpp: whole runs of EM.
void bind_climbing(nb::module_& m);
// In dividing.cpp: components that are divided, where that helps most.
void bind_dividing(nb::module_& m);
// In trying.cpp: whole trials of other mixtures.
void bind_trying(nb::module_& m);
// In outlying.cpp: samples far from all components, and what could make room for them.
void bind_outlying(nb::module_& m);
// In tying.cpp: classes heard together with their neighbours.
void bind_tying(nb::module_& m);
// In moving.cpp: components that are merged and split.
void bind_moving(nb::module_& m);
// In clustering.cpp: k-means.
void bind_clustering(nb::module_& m);
// In coloring.cpp: colours of labels.
void bind_coloring(nb::module_& m);
// In factoring.cpp: triangular factors.
void bind_factoring(nb::module_& m);
// In chance.cpp: uniform random numbers.
void bind_chance(nb::module_& m);
// In bumps.cpp: how much more mass two intervals hold than one.
void bind_bumps(nb::module_& m);
// In calming.cpp: the calmest pixels near others.
void bind_calming(nb::module_& m);
// In heights.cpp: heights of objects.
void bind_heights(nb::module_& m);
// In stepping.cpp: whole numbers that a picture was enlarged from.
void bind_stepping(nb::module_& m);
// In rounding.cpp: what rounding took from numbers of 8 bits.
void bind_rounding(nb::module_& m);
// In unfiltering.cpp: rows of PNG files.
void bind_unfiltering(nb::module_& m);

struct Chosen {
    const Kernels& mixture;
    Smooth smooth;
    Lab lab;
    Agreement agreement;
    TextureKernel texture;
    Halving halving;
    Gaps gaps;
    const Algebra& algebra;
};

#if defined(__x86_64__)
// Instruction sets of this processor that the system saves the registers of. Asked for here and not by
// __builtin_cpu_supports, whose tables the linker of Windows does not find.
struct Processor {
    bool v3 = false, v4 = false;

    Processor() {
        unsigned a, b, c, d, first, low, high;
        if (!__get_cpuid(1, &a, &b, &first, &d) || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
        const auto all = [](unsigned word, std::initializer_list<int> bits) {
            return std::all_of(bits.begin(), bits.end(), [&](int bit) { return word >> bit & 1; });
        };
        if (!all(first, {12, 27, 28})) return;  // FMA, XGETBV, AVX
        __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        v3 = all(low, {1, 2}) && all(b, {5, 8});                         // AVX2, BMI2
        v4 = v3 && all(low, {5, 6, 7}) && all(b, {16, 17, 28, 30, 31});  // AVX-512 F, DQ, CD, BW, VL
    }
};
#endif

inline Chosen choose() {
#if defined(__x86_64__)
    // GMMSEG_INSTRUCTIONS lets a test or a bug report ask for less than the machine has.
    const char* most = std::getenv("GMMSEG_INSTRUCTIONS");
    const auto allowed = [&](const char* name) { return !most || std::strcmp(most, name) >= 0; };
    const Processor has;
    if (has.v4 && allowed("x86-64-v4"))
        return {v4::mixture_kernels, v4::smooth_kernel,  v4::lab_kernel,  v4::agreement_kernel,
                v4::texture_kernel, v4::halving_kernel, v4::gaps_kernel, v4::algebra_kernels};
    if (has.v3 && allowed("x86-64-v3"))
        return {v3::mixture_kernels, v3::smooth_kernel,  v3::lab_kernel,  v3::agreement_kernel,
                v3::texture_kernel, v3::halving_kernel, v3::gaps_kernel, v3::algebra_kernels};
#endif
    return {baseline::mixture_kernels, baseline::smooth_kernel,  baseline::lab_kernel,  baseline::agreement_kernel,
            baseline::texture_kernel, baseline::halving_kernel, baseline::gaps_kernel, baseline::algebra_kernels};
}

inline const Chosen& kernels() {
    static const Chosen chosen = choose();
    return chosen;
}

inline void require(bool holds, const char* what) {
    if (!holds) throw nb::value_error(what);
}

using Numbers = std::vector<double>;

// Numbers as an array of NumPy's that owns a copy.
inline nb::ndarray<nb::numpy, double> given(const Numbers& values, std::initializer_list<size_t> shape) {
    double* data = new double[values.size()];
    std::copy(values.begin(), values.end(), data);
    return {data, shape, nb::capsule(data, [](void* p) noexcept { delete[] static_cast<double*>(p); })};
}
