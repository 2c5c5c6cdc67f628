package s3store

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/minio/minio-go/v7"

	"github.com/mindtrace/registry/store"
)

// MakeBucket implements store.BucketMaker.
func (s *Store) MakeBucket(ctx context.Context) error {
	ctx, ex := observe(ctx)
	err := s.core.Client.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{Region: s.region})
	switch {
	case err == nil && ex.foreign:
		return s.foreign("create bucket", s.bucket, ex, nil)
	case err == nil, minio.ToErrorResponse(err).Code == "BucketAlreadyOwnedByYou":
		return nil
	case minio.ToErrorResponse(err).Code == "BucketAlreadyExists":
		// Servers other than AWS may answer like this if the caller owns the bucket.
		if own, err := s.core.Client.BucketExists(ctx, s.bucket); !s.endpoint.aws && own && err == nil {
			return nil
		}
		return fmt.Errorf("create bucket %s: %w: it belongs to another account; choose another name", s.bucket, fs.ErrExist)
	}
	return s.writeError(ctx, "create bucket", s.bucket, err, ex, store.Absent)
}

// Description is where a store is, for people to read. It holds no secrets.
type Description struct {
	Endpoint    string // URL
	Region      string // empty before the first request, if it is not given
	Bucket      string
	Prefix      string // of all keys; empty, or ends in a slash
	PathStyle   bool   // http://host/bucket/key, not http://bucket.host/key
	Credentials string // where they come from; "none found" before the first request
}

// Describe returns where the store is. It sends no request.
func (s *Store) Describe() Description {
	return Description{
		Endpoint: s.endpoint.url(), Region: s.region, Bucket: s.bucket, Prefix: s.prefix,
		PathStyle: s.pathStyle, Credentials: s.account.source(),
	}
}
