// Rows of a precision factor, a group at a time, for densities of many features. Included by densities.h alone.
#pragma once
#include "pack.h"

namespace {

using std::ptrdiff_t;

constexpr int kTile = 4;              // above it factors and second moments are taken in so many rows at a time ...
// ... over so many registers of samples, or columns: accumulators that all stay in registers.
constexpr int kAcross = kRegisterBytes == 64 ? 4 : 2;
constexpr int kGroup = 6;  // rows of a factor that are taken at a time
// Rows of zeros ahead of the first, so that groups are whole: where rows are shortest they cost least.
constexpr int rows_ahead(int d) { return (kGroup - d % kGroup) % kGroup; }
// Where the group that begins with such a row lies among the packed ones.
constexpr int group_place(int first) { return first * (first + kGroup) / 2; }

// kGroup rows of a factor times kAcross registers of centred samples, from `first` on, the column of the first feature;
// the group that centres them writes them for those that follow. Of the columns on the diagonal only what lies below it
// is taken. Each group asks for some of the samples that come next, as many rows as it has: where one group asked for
// all, they were not there when they were turned into rows, which took twice as long (d = 64, 100 000 samples).
template <class T, bool Centres>
GMMSEG_INLINE void group_of_rows(const T* x, ptrdiff_t row, const T* mean, const T* f, int first, int end, T* centred,
                                 Pack<T>* t) {
    constexpr int L = kLanes<T>, wide = kAcross * L;
    Pack<T> y[kGroup * kAcross] = {};
    const auto column = [&](int j, auto from) GMMSEG_LAMBDA {
        Pack<T> dx[kAcross];
        unrolled<kAcross>([&](auto a) GMMSEG_LAMBDA {
            T* const to = centred + j * wide + a.value * L;
            if constexpr (Centres) {
                const T* const sample = x + (j - first) * row + a.value * L;
                dx[a.value] = load(sample) - mean[j - first];
                store(to, dx[a.value]);
            } else {
                dx[a.value] = load(to);
            }
        });
        unrolled_from<from.value, kGroup>([&](auto r) GMMSEG_LAMBDA {
            const Pack<T> number = fill(f[j * kGroup + r.value]);
            unrolled<kAcross>([&](auto a) GMMSEG_LAMBDA { y[r.value * kAcross + a.value] += number * dx[a.value]; });
        });
    };
    for (int j = first; j < end - kGroup; ++j) column(j, Index<0>{});
    unrolled<kGroup>([&](auto c) GMMSEG_LAMBDA {
        const int j = end - kGroup + c.value;
        for (int a = 0; j >= first && a < kAcross; ++a) __builtin_prefetch(x + (j - first) * row + wide + a * L);
        column(j, c);
    });
    unrolled<kGroup * kAcross>([&](auto i) GMMSEG_LAMBDA { t[i.value % kAcross] -= y[i.value] * y[i.value]; });
}

}  // namespace
