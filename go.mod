module github.com/mindtrace/registry

go 1.26.0

require (
	github.com/gofrs/flock v0.13.1
	golang.org/x/sys v0.49.0
)
