// Sums over all samples of a mixture, in threads: parameters as the kernels read them, and the order of the parts.
#pragma once
#include <cmath>
#include <map>

#include "calling.h"

// Part of the samples that one thread takes at a time: whole blocks, and a function of their number alone, so that sums
// are formed in the same order for any number of threads.
inline ptrdiff_t chunk_size(ptrdiff_t n) {
    const ptrdiff_t even = (n + 63) / 64;
    return std::max<ptrdiff_t>(4096, (even + kBlock - 1) / kBlock * kBlock);
}

constexpr double kLog2e = 1.442695040888963407359924681;

// Writes constants (K), means (K, d) and lower precision factors, (K, d, d) or (K, d), in the order and precision that
// the kernels read.
template <class T>
void pack_parameters(const MixtureJob<T>& job, const double* constants, const double* means, const double* factors,
                     T* out) {
    const ptrdiff_t k = job.n_components, d = job.n_features;
    const double scale = std::sqrt(kLog2e / 2);
    for (ptrdiff_t c = 0; c < k; ++c) {
        *out++ = T(constants[c] * kLog2e);
        for (ptrdiff_t i = 0; i < d; ++i) *out++ = T(means[c * d + i]);
        for (ptrdiff_t i = 0; i < d; ++i) {
            if (job.diagonal) *out++ = T(factors[c * d + i] * scale);
            else
                for (ptrdiff_t j = 0; j <= i; ++j) *out++ = T(factors[(c * d + i) * d + j] * scale);
        }
    }
}

// Samples (d, n) under components whose parameters are still to be given.
template <class T, class Planes>
MixtureJob<T> job_of(const Planes& planes, int components, bool diagonal) {
    MixtureJob<T> job{};
    job.samples = planes.data();
    job.feature_stride = planes.stride(0);
    job.sample_stride = planes.stride(1);
    job.n_samples = ptrdiff_t(planes.shape(1));
    job.n_features = int(planes.shape(0));
    job.n_components = components;
    job.diagonal = diagonal;
    return job;
}

template <class T>
void run_statistics(const MixtureJob<T>& job, ptrdiff_t b, ptrdiff_t e, double* sums, double* loglik) {
    if constexpr (sizeof(T) == 4) kernels().mixture.statistics_f32(job, b, e, sums, loglik);
    else kernels().mixture.statistics_f64(job, b, e, sums, loglik);
}

// Samples from which on a screen of a component costs little beside what it may save.
constexpr ptrdiff_t kScreened = 64;

// A screen, if it pays, and the memory that it lies in.
template <class T>
struct OwnScreen {
    Screen<T> screen{};
    std::vector<T> values;
    bool pays = false;

    explicit OwnScreen(const MixtureJob<T>& job) {
        const ptrdiff_t d = job.n_features, k = job.n_components, q = kMostDirections;
        if (job.diagonal || job.dof || job.log_prior || job.given || k < 2 || d <= kUnrolledFeatures ||
            job.n_samples < kScreened * (k + d))
            return;
        const ptrdiff_t sizes[] = {d, d * q, k, k, k * d, k * (1 + q + q * (q + 1) / 2)};
        T** const arrays[] = {&screen.middle, &screen.across, &screen.slack,
                              &screen.reach,  &screen.own,    &screen.params};
        values.resize(size_t(sizes[0] + sizes[1] + sizes[2] + sizes[3] + sizes[4] + sizes[5]));
        T* next = values.data();
        for (int i = 0; i < 6; ++i) *arrays[i] = next, next += sizes[i];
        std::vector<double> work(static_cast<size_t>(screen_work(k, d)));
        if constexpr (sizeof(T) == 4) pays = kernels().mixture.screen_f32(job, work.data(), screen);
        else pays = kernels().mixture.screen_f64(job, work.data(), screen);
    }
};

// The lower triangle of the precision whose factor has such rows.
template <class Rows>
Numbers precision_of(ptrdiff_t d, const Rows& rows) {
    Numbers form(static_cast<size_t>(d * (d + 1) / 2));
    for (ptrdiff_t r = 0; r < d; ++r) {
        const auto* const row = rows(r);
        for (ptrdiff_t i = 0; i <= r; ++i) {
            double* const to = form.data() + i * (i + 1) / 2;
            for (ptrdiff_t j = 0; j <= i; ++j) to[j] += double(row[i]) * double(row[j]);
        }
    }
    return form;
}

// The log-likelihood, in nats, of samples that surely belong to one component, from their sums about the means: the
// squared distances from a mean sum up to the products of precision and second moments.
template <class T>
double likelihood_of_sure(const MixtureJob<T>& job, const double* sums) {
    const ptrdiff_t d = job.n_features, step = job.params_per_component();
    double found = 0;
    for (ptrdiff_t c = 0; c < job.n_components; ++c, sums += step) {
        if (!(sums[0] > 0)) continue;
        const T *const p = job.params + c * step, *const factor = p + 1 + d;
        const Numbers form = precision_of(d, [&](ptrdiff_t r) { return factor + r * (r + 1) / 2; });
        const double* const second = sums + 1 + d;
        double distances = 0;
        for (ptrdiff_t i = 0; i < d; ++i) {
            const ptrdiff_t row = i * (i + 1) / 2;
            for (ptrdiff_t j = 0; j < i; ++j) distances += 2 * form[size_t(row + j)] * second[row + j];
            distances += form[size_t(row + i)] * second[row + i];
        }
        found += sums[0] * double(p[0]) - distances;
    }
    return found / kLog2e;
}

// Sums of parts, which come in any order and are added up in theirs. Memory for all parts would be as large as a table
// of 9 000 samples (100 000 of d = 64, K = 4), and is cleared and read from afar: 3 % of an iteration.
class Ordered {
public:
    explicit Ordered(size_t size) : sums(size) {}

    // Zeros for a part.
    Numbers open() {
        const std::lock_guard<std::mutex> lock(one);
        if (spare.empty()) return Numbers(sums.size());
        Numbers part = std::move(spare.back());
        spare.pop_back();
        std::fill(part.begin(), part.end(), 0.0);
        return part;
    }
    void close(ptrdiff_t index, Numbers part) {
        const std::lock_guard<std::mutex> lock(one);
        waiting.emplace(index, std::move(part));
        for (auto next = waiting.find(added); next != waiting.end(); next = waiting.find(++added)) {
            for (size_t j = 0; j < sums.size(); ++j) sums[j] += next->second[j];
            spare.push_back(std::move(next->second));
            waiting.erase(next);
        }
    }
    const Numbers& total() const { return sums; }

private:
    Numbers sums;
    ptrdiff_t added = 0;
    std::map<ptrdiff_t, Numbers> waiting;
    std::vector<Numbers> spare;
    std::mutex one;
};

// Adds the statistics of all samples to `sums` and returns their log-likelihood, in nats. A component may be left out; it
// becomes -1 where there is a screen, with which none is.
template <class T>
double all_statistics(MixtureJob<T> job, Crew& crew, double* sums, int* left_out = nullptr) {
    const OwnScreen<T> own(job);
    job.screen = own.pays ? &own.screen : nullptr;
    if (left_out) job.left_out = own.pays ? *left_out = -1 : *left_out;
    double loglik = 0;
    const ptrdiff_t n = job.n_samples, chunk = chunk_size(n);
    const size_t size = size_t(job.sums()), half = size / 2;
    // A single part is waited for by none: of pictures of 64 x 64, whose halves are of hundreds of samples, `begin` takes
    // .95 of the time.
    if (n <= chunk && !job.parted()) {
        run_statistics<T>(job, 0, n, sums, &loglik);
        return loglik;
    }
    Ordered parts(size + 1);
    crew.each((n + chunk - 1) / chunk, [&](ptrdiff_t i) {
        Numbers part = parts.open();
        run_statistics<T>(job, i * chunk, std::min(n, (i + 1) * chunk), part.data(), &part[size]);
        parts.close(i, std::move(part));
    });
    const double* const found = parts.total().data();
    if (job.parted()) loglik = likelihood_of_sure(job, found + half);
    for (size_t j = 0; j < size; ++j) sums[job.sure || !job.parted() ? j : j % half] += found[j];
    return loglik + found[size];
}

// Runs a kernel over all samples, in threads; whether it says of each part that every sample has all of its features.
template <class T, class Run>
bool all_known(const MixtureJob<T>& job, int threads, const Run& run) {
    const ptrdiff_t n = job.n_samples, chunk = chunk_size(n);
    std::atomic<bool> known{true};
    parallel((n + chunk - 1) / chunk, threads, [&](ptrdiff_t i) {
        if (!run(i * chunk, std::min(n, (i + 1) * chunk))) known = false;
    });
    return known;
}
