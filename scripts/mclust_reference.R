# Log-likelihoods of R's mclust, for tests/mixture/test_against_mclust.py to compare with. The tests need no R.
#
#   Rscript scripts/mclust_reference.R FOLDER > tests/mixture/mclust.json
#
# FOLDER holds scikit-learn's copies of iris, wine and breast cancer, so that both sides see the same numbers:
#   python -c 'import sklearn.datasets as s; print(s.__path__[0] + "/data")'

suppressPackageStartupMessages({
  library(mclust)
  library(jsonlite)
})

folder <- commandArgs(trailingOnly = TRUE)[1]
if (is.na(folder)) stop("name the folder of scikit-learn's data sets: Rscript scripts/mclust_reference.R FOLDER")
from_sklearn <- function(name) {
  table <- read.csv(file.path(folder, name), skip = 1, header = FALSE)
  unname(as.matrix(table[, -ncol(table)])) # the last column is the class
}

data(thyroid)
breast_cancer <- from_sklearn("breast_cancer.csv")
data_sets <- list(
  iris = from_sklearn("iris.csv"),
  wine = from_sklearn("wine_data.csv"),
  "breast cancer" = breast_cancer[, c(2, 24, 25)], # those that Mangasarian et al. (1995) chose
  "breast cancer means" = breast_cancer[, 1:10],
  faithful = unname(as.matrix(faithful)),
  precip = unname(as.matrix(precip)),
  thyroid = unname(as.matrix(thyroid[, -1]))
)
held_here <- c("faithful", "precip", "thyroid") # scikit-learn has the others
models <- c(full = "VVV", tied = "EEE", diag = "VVI", spherical = "VII")
models_of_one_feature <- c(full = "V", tied = "E", diag = "V", spherical = "V")

# Least variance of a component in any direction, and least weight of one in samples: small where the fit is a spike.
# Variances are relative to the samples' own: the least generalised eigenvalue of a covariance against theirs.
describe <- function(fit, x) {
  root <- solve(chol(cov(x)))
  least <- function(sigma) min(eigen(t(root) %*% as.matrix(sigma) %*% root, symmetric = TRUE)$values)
  variance <- fit$parameters$variance
  k <- fit$G
  sigmas <- if (ncol(x) == 1) rep(variance$sigmasq, length.out = k) else lapply(1:k, function(i) variance$sigma[, , i])
  list(
    log_likelihood = unbox(fit$loglik),
    least_variance = unbox(signif(min(sapply(sigmas, least)), 4)),
    least_samples = unbox(round(nrow(x) * min(fit$parameters$pro), 2))
  )
}

reference <- function(x) {
  names <- if (ncol(x) == 1) models_of_one_feature else models
  lapply(names, function(name) {
    fits <- lapply(1:5, function(k) {
      fit <- Mclust(x, G = k, modelNames = name, prior = NULL, verbose = FALSE)
      if (is.null(fit)) NA else describe(fit, x) # NA: mclust met a singular covariance
    })
    setNames(fits, 1:5)
  })
}

results <- lapply(data_sets, reference)
json <- toJSON(
  list(
    made_with = unbox(paste0(
      R.version.string, ", mclust ", packageVersion("mclust"),
      ": Mclust(x, G = k, modelNames = model, prior = NULL), by scripts/mclust_reference.R"
    )),
    sources = list(
      faithful = unbox("Azzalini and Bowman (1990), by R's datasets"),
      precip = unbox("McNeil (1977), by R's datasets"),
      thyroid = unbox("UCI Machine Learning Repository, Thyroid Disease (new-thyroid), CC BY 4.0, by mclust")
    ),
    samples = data_sets[held_here],
    models = lapply(as.list(models), unbox),
    results = results
  ),
  digits = NA, na = "null"
)
# One model or sample a line.
cat(gsub("(\\],|\\}\\},)", "\\1\n", json), "\n", sep = "")
