// Package registry keeps versioned objects — models, datasets, pipelines,
// configurations — in a directory or a bucket, without a server of its own.
package registry
