package store

import "context"

// Stager is what a Store is besides, if making a body durable takes much
// longer than taking it in. The caller has its memory back early, and the
// store has several bodies at a time to make durable.
//
// Nothing but the moment changes: what was staged is invisible until Commit,
// and Commit promises what Put promises. See [Stage] for how to use it.
type Stager interface {
	// Stage takes in the body of a new key. It returns nil if a plain Put
	// serves as well. The body may be changed once it has returned.
	Stage(ctx context.Context, key string, body []byte) (Staged, error)
}

// Staged is a body that has no key yet. It is for one goroutine.
type Staged interface {
	// Commit is a Put of the body under key with Absent, in its effects and in
	// what it returns. It may be repeated like a Put, also for another key than
	// that of Stage. A flush that has failed once fails for good: what
	// a second one says of the same bytes is worth nothing.
	Commit(ctx context.Context, key string) (Info, error)

	// Discard lets go of the body. What was committed stays.
	Discard()
}

// Stage begins a Put of a new key on any store. If taken is false, the body
// must not change until Discard.
func Stage(ctx context.Context, st Store, key string, body []byte) (s Staged, taken bool, err error) {
	if stager, ok := st.(Stager); ok {
		s, err := stager.Stage(ctx, key, body)
		if s != nil || err != nil {
			return s, s != nil, err
		}
	}
	return unstaged{st, body}, false, nil
}

// unstaged is a Staged of a store that is no Stager.
type unstaged struct {
	st   Store
	body []byte
}

func (u unstaged) Commit(ctx context.Context, key string) (Info, error) {
	return u.st.Put(ctx, key, u.body, Absent)
}

func (u unstaged) Discard() {}

// wrappedStage is Stage for a Store that wraps st: wrap has its Commit do what
// the wrapper's Put does besides.
func wrappedStage(ctx context.Context, st Store, key string, body []byte, wrap func(Staged) Staged) (Staged, error) {
	s, taken, err := Stage(ctx, st, key, body)
	if err != nil || !taken {
		return nil, err
	}
	return wrap(s), nil
}

// Stage implements Stager, if the store below does.
func (w watched) Stage(ctx context.Context, key string, body []byte) (Staged, error) {
	return wrappedStage(ctx, w.st, key, body, func(s Staged) Staged { return watchedStage{s, w.clock} })
}

type watchedStage struct {
	Staged
	clock *Clock
}

func (w watchedStage) Commit(ctx context.Context, key string) (Info, error) {
	info, err := w.Staged.Commit(ctx, key)
	w.clock.Observe(info.Now)
	return info, err
}
