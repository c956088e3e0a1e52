// Moments of components, summed over samples that are rows, in tiles that stay in registers. Included by mixture.cpp
// alone.
#pragma once
#include "densities.h"

namespace {

constexpr int kRows = kRegisterBytes == 64 ? 8 : 4;  // samples, or rows of moments, that are taken at a time
template <class T>
constexpr int kPadded = kLanes<T> > 8 ? kLanes<T> : 8;  // numbers of a row are a multiple of it, zeros past the last

// First moments, and tiles of the second ones, of components or of what belongs to them.
template <class T>
struct Tiles {
    static constexpr int L = kLanes<T>;
    const ptrdiff_t d, stride;
    const ptrdiff_t tile_size;  // numbers of each
    double* tiles;
    T* parts;         // as `tiles`: sums of at most two blocks, before they are added to these
    ptrdiff_t* held;  // of each: samples in `parts`

    explicit Tiles(ptrdiff_t d)
        : d(d), stride((d + kPadded<T> - 1) / kPadded<T> * kPadded<T>), tile_size(stride + size_of_tiles(d)) {}

    static ptrdiff_t size_of_tiles(ptrdiff_t d) {
        ptrdiff_t size = 0;
        each_tile(d, [&](ptrdiff_t, ptrdiff_t, auto rows, auto wide) { size += kSums<rows.value, wide.value> * L; });
        return size;
    }

    // Visits the tiles of the second moments: so many rows from i on, and registers of columns from j on; of none is a
    // square on the diagonal, where a register times itself, turned, makes each number once instead of twice. That
    // saves a tenth of the products (d = 64). A last square of which at most half is filled is of rows alone.
    template <class Visit>
    GMMSEG_INLINE static void each_tile(ptrdiff_t d, const Visit& visit) {
        for (ptrdiff_t i = 0; i < d; i += L) {
            if (2 * (d - i) <= L) {
                across<L / 2>(i, i + L, visit);
                continue;
            }
            const bool pairs = kPairs && i;
            if (pairs) visit(i, i - L, Index<L>{}, Index<0>{});
            else visit(i, i, Index<0>{}, Index<0>{});
            across<L>(i, pairs ? i - L : i, visit);
        }
    }
    template <int Rows, class Visit>
    GMMSEG_INLINE static void across(ptrdiff_t first, ptrdiff_t columns, const Visit& visit) {
        constexpr int some = Rows < kRows ? Rows : kRows;
        ptrdiff_t j = 0;
        const auto strip = [&](auto wide) GMMSEG_LAMBDA {
            for (ptrdiff_t i = first; i < first + Rows; i += some) visit(i, j, Index<some>{}, wide);
            j += wide.value * L;
        };
        while (columns - j >= 3 * L) strip(Index<3>{});
        if (columns - j == 2 * L) strip(Index<2>{});
        else if (columns > j) visit(first, j, Index<Rows>{}, Index<1>{});
    }
    static constexpr bool kPairs = kRegisterBytes == 64;  // whether the square beside one on the diagonal goes with it
    template <int Rows, int Wide>
    static constexpr int kSums = Wide ? Rows * Wide : Rows + L / 2 + 1;  // registers of a tile

    template <int Rows, int Wide>
    __attribute__((noinline)) static void products(const T* panel, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t i,
                                                   ptrdiff_t j, T* tile) {
        constexpr int columns = Wide ? Wide : 1;
        Pack<T> sum[kSums<Rows, Wide>] = {};
        // Each from a pointer of its own, lest compilers keep the distance of every row in a register.
        const T *left = panel + i, *const end = left + count * stride;
        for (const T* right = panel + j; left != end; left += stride, right += stride) {
            Pack<T> x[columns];
            unrolled<columns>([&](auto c) GMMSEG_LAMBDA { x[c.value] = load(right + c.value * L); });
            unrolled<Rows>([&](auto r) GMMSEG_LAMBDA {
                const Pack<T> number = fill(left[r.value]);
                unrolled<columns>([&](auto c) GMMSEG_LAMBDA {
                    sum[r.value * columns + c.value] += number * x[c.value];
                });
            });
            if constexpr (Wide == 0) {
                const Pack<T> own = load(left);
                unrolled<L / 2 + 1>([&](auto s) GMMSEG_LAMBDA { sum[Rows + s.value] += own * turned<s.value>(own); });
            }
        }
        unrolled<kSums<Rows, Wide>>([&](auto r) GMMSEG_LAMBDA {
            store(tile + r.value * L, load(tile + r.value * L) + sum[r.value]);
        });
    }

    // Adds the second moments of so many rows, of which the first ones are added already, to the c-th.
    void add_products(ptrdiff_t c, const T* panel, ptrdiff_t count) {
        T* tile = parts + c * tile_size + stride;
        each_tile(d, [&](ptrdiff_t i, ptrdiff_t j, auto rows, auto wide) GMMSEG_LAMBDA {
            products<rows.value, wide.value>(panel, stride, count, i, j, tile);
            tile += kSums<rows.value, wide.value> * L;
        });
        if ((held[c] += count) >= kBlock) add_parts(c);
    }
    void add_parts(ptrdiff_t c) {
        T* const part = parts + c * tile_size;
        double* const tile = tiles + c * tile_size;
        for (ptrdiff_t i = 0; i < tile_size; i += L) {
            add_to(tile + i, load(part + i));
            store(part + i, Pack<T>{});
        }
        held[c] = 0;
    }

    // Adds the c-th to a component's sums.
    void add_moments(ptrdiff_t c, double* sums) {
        add_parts(c);
        const double* tile = tiles + c * tile_size;
        for (ptrdiff_t i = 0; i < d; ++i) sums[1 + i] += tile[i];
        tile += stride;
        double* const second = sums + 1 + d;
        each_tile(d, [&](ptrdiff_t i, ptrdiff_t j, auto rows, auto wide) {
            constexpr ptrdiff_t width = wide.value ? wide.value * L : L;
            for (ptrdiff_t r = i; r < i + rows.value; ++r, tile += width) {
                const ptrdiff_t end = r < d ? (j + width < r + 1 ? width : r + 1 - j) : 0;
                double* const __restrict to = second + r * (r + 1) / 2 + j;
                const double* const __restrict from = tile;
                for (ptrdiff_t x = 0; x < end; ++x) to[x] += from[x];
            }
            for (ptrdiff_t turn = 0; !wide.value && turn <= L / 2; ++turn, tile += L)
                for (ptrdiff_t x = 0; x < (2 * turn < L ? L : L / 2); ++x) {
                    const ptrdiff_t one = i + x, other = i + (x + turn) % L, low = one < other ? one : other;
                    const ptrdiff_t high = one + other - low;
                    if (high < d) second[high * (high + 1) / 2 + low] += tile[x];
                }
        });
    }
};

}  // namespace
