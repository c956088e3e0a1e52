// What module.cpp and the kernels agree on. Every kernel source is compiled once for each instruction set, into a
// namespace of its own; module.cpp calls the best one that the machine has through a table of function pointers.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace gmmseg {

// Samples are visited in blocks of fixed index, whatever the number of threads.
constexpr std::ptrdiff_t kBlock = 512;
constexpr std::ptrdiff_t kBatch = 64;  // samples whose products are summed at a time
constexpr int kUnrolledFeatures = 8;  // up to here the number of features is a constant of the code

template <class T>
struct Screen;

// What is known of samples in order from one iteration of EM to the next, by granules of so many to a block.
constexpr int kGranules = 32;
struct Reach {
    float* distances;  // for each block (K, kGranules): a granule is at least so far from a component, as its factor has it
    float* levels;     // for each block (kGranules): log2 densities of the mixture were at least about this
    const float* nearer;  // (K): a distance has become at least this times what it was ...
    const float* moved;   // (K): ... less this
    const float* shares;  // (K): part of the mixture's density up to which a component's is nothing ...
    const float* parts;   // (K): ... and its log2
    float *planes, *weights;  // where samples are to be written in order, (d, n) and (n); or null
    std::atomic<std::ptrdiff_t>* reached;  // to which is then added how many components reach each of the samples
};

// What tells samples that surely belong to one component: its log2 density t counts as own + falls * t if it is theirs,
// and as other + rises * t if it is not.
struct Margin {
    double own, falls, other, rises;
};
constexpr int kNone = 255;  // of components
// Where a component's part in a sample is below 2^-kLost of its weight it is nothing, and so is, next to its sums, all
// that it loses by that.
template <class T>
constexpr int kLost = sizeof(T) == 4 ? 32 : 64;

// A mixture over samples. Parameters of component k start at params + k * params_per_component():
// the log2 of weight and normaliser, the mean (d), then the precision factor scaled by sqrt(log2(e) / 2)
// (full: rows of the lower triangle; diagonal: d numbers), so that log2 density = constant - |factor (x - mean)|^2.
template <class T>
struct MixtureJob {
    const T* samples;
    std::ptrdiff_t feature_stride, sample_stride;  // in elements
    std::ptrdiff_t n_samples;
    const T* weights;  // one a sample, or null
    int n_features, n_components;
    bool diagonal;
    const T* params;
    const T* given;  // (n_components, given_stride) responsibilities in the place of densities, or null
    std::ptrdiff_t given_stride;
    const T* log_prior;  // (n_components, prior_stride) logarithms of prior probabilities, or null
    std::ptrdiff_t prior_stride;
    const T* dof;  // degrees of freedom of each component, a Student-t distribution; null where all are Gaussian
    const Screen<T>* screen;  // null where every component is within reach of most samples, or none was made
    const std::uint32_t* places;  // which samples these are, in ascending order; null where all are meant
    std::uint8_t* sure;  // for each sample the component that it surely belongs to, or kNone, to be written; or null
    const Margin* margins;  // by which it does, one for each component; null without `sure`
    const Reach* reach;  // of samples in order, or those to be put in order; null where `keeps_order` is false
    const int* begins;  // (n_classes + 1): component of which each class begins, and their end; null where each is one
    int n_classes;      // with `begins`
    int left_out = -1;  // component of more than kUnrolledFeatures features that no sums are taken of; -1 for none

    // Most components that a class has.
    int most_of_a_class() const {
        int most = 1;
        for (int c = 0; begins && c < n_classes; ++c)
            if (begins[c + 1] - begins[c] > most) most = begins[c + 1] - begins[c];
        return most;
    }
    std::ptrdiff_t second_moments() const {
        return diagonal ? n_features : std::ptrdiff_t(n_features) * (n_features + 1) / 2;
    }
    std::ptrdiff_t params_per_component() const { return 1 + n_features + second_moments(); }
    // Sums of the statistics: as many for each component as it has parameters, then two more for each Student-t, or,
    // with `sure` or a screen, as many again: those of the samples that surely belong to it, which the first ones are
    // without, as the log-likelihood is of them.
    std::ptrdiff_t sums() const {
        return n_components * (parted() ? 2 * params_per_component() : params_per_component() + (dof ? 2 : 0));
    }
    bool parted() const { return sure || screen; }
};

// What tells in a few directions which components are out of a sample's reach: distances in these alone, hence their
// densities with the normaliser of all features, bound the whole ones.
template <class T>
struct Screen {
    int directions;  // a multiple of 4, those past the last that was found zeros
    T* middle;       // (d): samples are taken less it
    T* across;       // (d, directions)
    T* slack;        // (K): what rounding may take from a bound, in units of the samples' largest squared norm
    T* reach;        // (K): how far its log2 density may be behind the highest before a sample is out of reach
    T* own;          // (K, d): a sample's squared distance is at most the sum of these times its squared differences
                     // from the mean
    T* params;       // for each component a constant, minus its factor times its mean, and the rows of its factor, so
                     // that a bound is constant - |factor y - factor mean|^2 of a sample y in these directions
};
constexpr int kMostDirections = 16;

// Numbers that `screen` of so many components needs as working memory.
inline std::ptrdiff_t screen_work(std::ptrdiff_t k, std::ptrdiff_t d) {
    const std::ptrdiff_t q = kMostDirections;
    return 3 * d * k + 2 * d * q + k * (q * q + q + 1) + 3 * q * q + d * (d + 1);
}

// Mean-field smoothing of one tile. Arrays of the tile are C-contiguous in (z, y, x); the result is written for the
// part of it from `inner_first` on, of `inner_size`, into arrays of any strides.
struct SmoothJob {
    const float* prior;         // (n_classes, tile) probabilities; or null, and the classes are those of `mixture`,
    const MixtureJob<float>* mixture;  // whose samples are the tile's voxels: planes, and after them, for features that
    const float* places[3];            // are the same all along the other axes, what these are along x, y and z
    int n_places;
    const float* guide;         // (n_guides, tile): edges are weak where these differ
    const std::uint8_t* valid;  // (tile), or null where all voxels are
    std::ptrdiff_t size[3];
    int n_classes, n_guides, n_offsets;
    int sweeps;  // how far voxels hear of each other; of three or more the first two settle who holds a class
    const std::int64_t* offsets;  // (n_offsets, 3): one of each pair of opposite neighbours
    const float* strengths;       // n_offsets
    const float* sharpness;       // n_guides; an edge is strength * (0.2 + 0.8 (1 - D/8)^8), where D is the sum of the
                                  // squares of sharpness times difference
    std::ptrdiff_t inner_first[3], inner_size[3];
    std::uint8_t* labels;  // from 1, or null
    std::ptrdiff_t label_strides[3];
    float* probabilities;                    // or null
    std::ptrdiff_t probability_strides[4];   // class, z, y, x
    void* (*reserve)(std::ptrdiff_t bytes);  // memory for the time of one call
};

// Colour to CIE L*a*b* (D65): rows of interleaved pixels to three planes.
struct LabJob {
    const void* pixels;
    int kind;  // bytes of an integer channel (1 or 2), or 4 for float32 in 0..1
    std::ptrdiff_t row_stride, pixel_stride, channel_stride;  // in bytes
    std::ptrdiff_t rows, columns;
    const float* linear;  // table from integers to linear light
    float* out;           // (3, plane_stride)
    std::ptrdiff_t plane_stride;
};

// Whole numbers that a picture was enlarged from: see gmmseg.kernels.halve.
struct HalvingJob {
    const float* picture;  // (2 n, 2 m)
    float* out;            // (n, m)
    std::ptrdiff_t n, m;   // above 0
    int rounding;          // by axis, once, with bits dropped
    float low, high;
    float* memory;         // halving_memory(n, m) numbers
};
// Of 2 m columns, as many as fill the widest register. Static: linkers take one of what two instruction sets share.
static inline constexpr std::ptrdiff_t halving_width(std::ptrdiff_t m) { return (2 * m + 15) / 16 * 16; }
static inline constexpr std::ptrdiff_t halving_memory(std::ptrdiff_t n, std::ptrdiff_t m) {
    return (9 * n + 19) * halving_width(m) + (n + 23) * m;
}

// Texture of one window: see gmmseg.kernels.texture. Axes are z, y, x, those that an image lacks of size 1.
struct TextureJob {
    const float* values;        // (size)
    const float* known;         // (size), or null where all values are
    std::ptrdiff_t size[3], inner[3];
    int n_axes, n_levels;
    const std::int64_t* steps;  // (n_levels, 3)
    std::int64_t shift[3];
    float slopes[3];            // what one unit of difference along an axis counts for
    float* out;                 // (2 + n_axes (n_axes + 1) / 2, inner)
    void* (*reserve)(std::ptrdiff_t bytes);  // memory for the time of one call
};

// Samples each of which lacks features of its own, under Gaussian components: either distances are wanted, or moments
// or expected samples.
struct GapsJob {
    const double* samples;  // (n_features, n_samples); NaN is missing
    std::ptrdiff_t n_samples, n_features, n_components;
    const double* means;       // (n_components, n_features)
    const double* factors;     // (n_components, n_features, n_features) lower: of the precisions
    const double* precisions;  // (n_components, n_features + 1, n_features + 1): a row and a column of zeros at the end
    double* distances;         // (n_components, n_samples), or null
    double* log_roots;         // as these
    const double* shares;      // (n_components, n_samples): weights of the moments, or null
    const double* mass;        // as these: weights of the covariance left to missing features; null without sums
    double* expected;          // (n_features, n_samples), or null: the samples as they are expected, weighted by shares
};

struct Kernels {
    const char* instruction_set;
    bool keeps_order;  // whether statistics of samples in order take less time
    // Adds sums (K x (1 + d + second moments)) about the means, and the log-likelihood in nats, but of samples that surely
    // belong to one component: see `likelihood_of_sure` in summing.h. Moments of a Student-t
    // component are weighted by responsibility r times u, the sample's share in the scale (Peel and McLachlan 2000);
    // after those of all components follow, for each, the sums of r and of r (ln u - u).
    void (*statistics_f32)(const MixtureJob<float>&, std::ptrdiff_t begin, std::ptrdiff_t end, double* sums,
                           double* loglik);
    void (*statistics_f64)(const MixtureJob<double>&, std::ptrdiff_t begin, std::ptrdiff_t end, double* sums,
                           double* loglik);
    // Makes a screen whose arrays have room for kMostDirections; false where it would not pay.
    bool (*screen_f32)(const MixtureJob<float>&, double* work, Screen<float>& out);
    bool (*screen_f64)(const MixtureJob<double>&, double* work, Screen<double>& out);
    // out: (K, stride) responsibilities, of the classes where components have these, or null; log_density: in nats, or
    // null. This and the next return whether every sample certainly has all of its features, and these are finite.
    bool (*posterior_f32)(const MixtureJob<float>&, std::ptrdiff_t begin, std::ptrdiff_t end, float* out,
                          std::ptrdiff_t stride, float* log_density);
    bool (*posterior_f64)(const MixtureJob<double>&, std::ptrdiff_t begin, std::ptrdiff_t end, double* out,
                          std::ptrdiff_t stride, double* log_density);
    // out: the index of the most probable component or class, bytes or 64-bit, counted from `first`.
    bool (*classify_f32)(const MixtureJob<float>&, std::ptrdiff_t begin, std::ptrdiff_t end, std::uint8_t* out8,
                         std::int64_t* out64, int first);
    bool (*classify_f64)(const MixtureJob<double>&, std::ptrdiff_t begin, std::ptrdiff_t end, std::uint8_t* out8,
                         std::int64_t* out64, int first);
};
constexpr std::ptrdiff_t kAbreast = 8;  // matrices that are factored side by side
struct Algebra {
    // Lower factor of a symmetric matrix (d, d), in its place; false where it is not positive definite. The upper triangle
    // is read, and is left over.
    bool (*cholesky)(double* matrix, std::ptrdiff_t d);
    // Pivots (d, kAbreast) of the second moments that one component, `own`, makes with each of kAbreast others, from
    // `first` on: those of all, the lower triangles row by row and their means, stand one component a column of so many.
    // The `shares` are the others' of what they make; `work` is memory of kAbreast * (d * (d + 1) / 2 + 2 * d) numbers.
    void (*joined_pivots)(const double* second, const double* means, std::ptrdiff_t columns, std::ptrdiff_t d,
                          std::ptrdiff_t own, std::ptrdiff_t first, const double* shares, double* work, double* pivots);
    // Inverse of a lower triangular matrix (d, d), with zeros above its diagonal.
    void (*invert_lower)(const double* lower, std::ptrdiff_t d, double* out);
    // Adds to each of n numbers the sum over kBatch samples of a value times its mass times that of a row (n, kBatch).
    void (*add_batch)(const double* values, const double* mass, const double* rows, std::ptrdiff_t n, double* out);
    // Writes the square of a symmetric matrix (d, d).
    void (*square)(const double* matrix, std::ptrdiff_t d, double* out);
    // Writes which is less, a sample's `now` or its mass times squared distance from the one at a place, for contiguous
    // planes (d, n), and returns the sum of all; `squared` is working memory of n numbers.
    double (*nearer_f32)(const float* planes, std::ptrdiff_t n, std::ptrdiff_t d, std::ptrdiff_t place,
                         const double* mass, const double* now, float* squared, double* out);
    double (*nearer_f64)(const double* planes, std::ptrdiff_t n, std::ptrdiff_t d, std::ptrdiff_t place,
                         const double* mass, const double* now, double* squared, double* out);
};
using Smooth = bool (*)(const SmoothJob&);  // false, and nothing is written, where the mixture's samples are not known
using Lab = void (*)(const LabJob&);
// How strongly neighbours agree, in patches whose voxels hear none of another patch's.
struct AgreementJob {
    const float* q;             // (n_classes, n_patches, size) probabilities
    const float* guide;         // (n_guides, n_patches, size)
    const std::uint8_t* valid;    // (n_patches, size): which are heard
    const std::uint8_t* counted;  // (n_patches, size): whose probabilities count
    std::ptrdiff_t n_patches, size[3];
    int n_classes, n_guides, n_offsets;
    const std::int64_t* offsets;  // as of SmoothJob
    const float* strengths;
    const float* sharpness;
    double most, settled;  // total strength that there can be; change of it after which it is found
    int steps;             // of Newton's method
    float* edges;          // size[2] numbers of working memory
    float* said;           // (n_classes, n_patches, size) zeros, for what voxels hear of the classes
    float* highest;        // (n_patches, size), likewise
};
// Returns the total strength of highest pseudo-likelihood, found from another one.
using Agreement = double (*)(const AgreementJob&, double total);
using TextureKernel = void (*)(const TextureJob&);
using Halving = void (*)(const HalvingJob&);
// Writes distances, or adds sums about the means (n_components, 1 + n_features + second moments), of begin..end, which
// are at most kGapsChunk.
constexpr std::ptrdiff_t kGapsChunk = 1024;
using Gaps = void (*)(const GapsJob&, std::ptrdiff_t begin, std::ptrdiff_t end, double* sums);

#define GMMSEG_DECLARE(isa)                     \
    namespace isa {                             \
    extern const Kernels mixture_kernels;       \
    extern const Smooth smooth_kernel;          \
    extern const Lab lab_kernel;                \
    extern const Agreement agreement_kernel;    \
    extern const TextureKernel texture_kernel;  \
    extern const Halving halving_kernel;        \
    extern const Gaps gaps_kernel;              \
    extern const Algebra algebra_kernels;       \
    }
#if defined(__x86_64__)
GMMSEG_DECLARE(v4)
GMMSEG_DECLARE(v3)
#endif
GMMSEG_DECLARE(baseline)

}  // namespace gmmseg
