package store

import "context"

// Fact is something that a store knows about itself or about the place where
// it is, for people to read.
type Fact struct {
	Name  string `json:"name"` // "endpoint", "credentials", ...
	Value string `json:"value"`
	// Warning says why this would hurt a registry, and what to do about it;
	// empty if it does not.
	Warning string `json:"warning,omitempty"`
}

// Inspector is a Store that can tell about itself: where it is, whose
// credentials it uses, and which settings of the place would hurt
// a registry, such as rules that delete objects by age. What cannot be
// found out, for want of permission, is a Fact that says so.
type Inspector interface {
	Inspect(ctx context.Context) ([]Fact, error)
}
