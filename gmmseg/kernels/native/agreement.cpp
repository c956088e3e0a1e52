// The strength at which neighbours are heard that gives the classes the highest pseudo-likelihood (Besag 1975).
#include <cmath>

#include "kernels.h"
#include "pack.h"

namespace {

using gmmseg::AgreementJob;
using std::ptrdiff_t;
constexpr float kBlind = 0.2f;  // as of gmmseg.kernels.neighbours
constexpr ptrdiff_t kRun = 512;  // voxels whose sums are of single precision

// Adds to two sums, over n voxels, the mean and the variance of what neighbours say of the classes, (classes, n) numbers
// up to 0, when a class has a probability in proportion to exp(total said).
void add_moments(const float* said, ptrdiff_t n, ptrdiff_t classes, float total, double* sums) {
    constexpr int L = kLanes<float>;
    const float power = total * 1.4426950408889634f;
    for (ptrdiff_t first = 0; first < n; first += kRun) {
        const ptrdiff_t end = first + kRun < n ? first + kRun : n;
        Pack<float> mean{}, variance{};
        for (ptrdiff_t v = first; v < end; v += L) {
            Pack<float> whole{}, once{}, twice{};
            for (ptrdiff_t c = 0; c < classes; ++c) {
                const Pack<float> heard = load_within(said + c * n, v, n);  // of no voxel: 0, which adds nothing below
                const Pack<float> p = exp2_negative(power * heard);
                whole += p;
                once += p * heard;
                twice += p * heard * heard;
            }
            once /= whole;
            mean += once;
            variance += twice / whole - once * once;
        }
        for (int lane = 0; lane < L; ++lane) {
            sums[0] += double(mean[lane]);
            sums[1] += double(variance[lane]);
        }
    }
}

// Adds to each voxel of a row what it hears from others of these edges.
void hear(const float* __restrict edges, const float* __restrict q, ptrdiff_t n, float* __restrict out) {
    for (ptrdiff_t x = 0; x < n; ++x) out[x] += edges[x] * q[x];
}

// The edges of one row of voxels to those at an offset; `apart` voxels lie between the rows.
void edges_of(const AgreementJob& job, ptrdiff_t row, ptrdiff_t apart, ptrdiff_t n, float strength, float* __restrict edges) {
    const ptrdiff_t voxels = job.n_patches * job.size[0] * job.size[1] * job.size[2];
    for (ptrdiff_t x = 0; x < n; ++x) edges[x] = 0;
    for (int c = 0; c < job.n_guides; ++c) {
        const float *here = job.guide + c * voxels + row, *there = here + apart, sharpness = job.sharpness[c];
        for (ptrdiff_t x = 0; x < n; ++x) {
            const float difference = sharpness * (here[x] - there[x]);
            edges[x] += difference * difference;
        }
    }
    const std::uint8_t *here = job.valid + row, *there = here + apart;
    for (ptrdiff_t x = 0; x < n; ++x) {
        float left = 1 - edges[x] / 8;
        left = left > 0 ? left : 0;
        left *= left;
        left *= left;
        edges[x] = here[x] & there[x] ? strength * (kBlind + (1 - kBlind) * (left * left)) : 0.0f;
    }
}

// Adds up what each voxel hears of the classes: sums over its neighbours of edge times their q.
void listen(const AgreementJob& job) {
    const auto [depth, rows, columns] = job.size;
    const ptrdiff_t voxels = job.n_patches * depth * rows * columns;
    for (int o = 0; o < job.n_offsets; ++o) {
        const ptrdiff_t dz = job.offsets[3 * o], dy = job.offsets[3 * o + 1], dx = job.offsets[3 * o + 2];
        const ptrdiff_t apart = (dz * rows + dy) * columns + dx, first = dx < 0 ? -dx : 0;
        const ptrdiff_t n = columns - (dx < 0 ? -dx : dx);
        for (ptrdiff_t line = 0; n > 0 && line < job.n_patches * depth * rows; ++line) {
            const ptrdiff_t z = line / rows % depth + dz, y = line % rows + dy;
            if (z < 0 || z >= depth || y < 0 || y >= rows) continue;
            const ptrdiff_t row = line * columns + first;
            edges_of(job, row, apart, n, job.strengths[o], job.edges);
            for (int k = 0; k < job.n_classes; ++k) {
                const float* q = job.q + k * voxels + row;
                float* out = job.said + k * voxels + row;
                hear(job.edges, q + apart, n, out);
                hear(job.edges, q, n, out + apart);
            }
        }
    }
}

// Takes the largest from what each voxel hears, and keeps those that count; returns their number, and adds up what is
// said of the classes that they have.
ptrdiff_t keep_counted(const AgreementJob& job, ptrdiff_t n, double& given) {
    float *const said = job.said, *const highest = job.highest;
    const std::uint8_t* const counted = job.counted;
    for (int k = 0; k < job.n_classes; ++k)
        for (ptrdiff_t v = 0; v < n; ++v)
            highest[v] = k == 0 || said[k * n + v] > highest[v] ? said[k * n + v] : highest[v];
    ptrdiff_t count = 0;
    for (ptrdiff_t v = 0; v < n; ++v) count += counted[v] != 0;
    for (int k = 0; k < job.n_classes; ++k) {
        const float* const q = job.q + k * n;
        float *const row = said + k * n, *const to = said + k * count;
        double sums[8] = {};  // one after the other a sum would wait for itself
        ptrdiff_t v = 0;
        for (; v + 8 <= n; v += 8)
            for (int lane = 0; lane < 8; ++lane) {
                row[v + lane] -= highest[v + lane];
                sums[lane] += counted[v + lane] ? double(q[v + lane] * row[v + lane]) : 0.0;
            }
        for (; v < n; ++v) {
            row[v] -= highest[v];
            sums[0] += counted[v] ? double(q[v] * row[v]) : 0.0;
        }
        given += ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
        if (count == n) continue;
        for (ptrdiff_t from = 0, next = 0; from < n; ++from)
            if (counted[from]) to[next++] = row[from];
    }
    return count;
}

// The logarithm of the product of each voxel's probability given its neighbours', expected over q, is concave in the
// strength: Newton's method finds its maximum.
double agreement(const AgreementJob& job, double total) {
    const ptrdiff_t n = job.n_patches * job.size[0] * job.size[1] * job.size[2];
    listen(job);
    bool any = false;
    for (ptrdiff_t v = 0; v < job.n_classes * n; ++v) any |= job.said[v] != 0;
    double given = 0;
    const ptrdiff_t count = any ? keep_counted(job, n, given) : 0;
    if (!count) return 0;  // nobody has a neighbour
    for (int step = 0; step < job.steps; ++step) {
        double sums[2] = {0, 0};
        add_moments(job.said, count, job.n_classes, float(total), sums);
        const double before = total, curvature = sums[1] > 1e-9 ? sums[1] : 1e-9;
        total += (given - sums[0]) / curvature;
        total = total > 0 ? total : 0;
        total = total < job.most ? total : job.most;
        if (std::abs(total - before) < job.settled) break;
    }
    return total;
}

}  // namespace

namespace gmmseg {
namespace GMMSEG_ISA {
const Agreement agreement_kernel = agreement;
}
}  // namespace gmmseg
