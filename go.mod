module github.com/mindtrace/registry

go 1.26.0

require (
	github.com/go-json-experiment/json v1.27.2
	github.com/gofrs/flock v0.13.1
	golang.org/x/sync v0.24.0
	golang.org/x/sys v0.49.0
)

require github.com/Masterminds/semver/v3 v3.5.0
