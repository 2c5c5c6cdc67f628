package filestore

import "sync"

// chain is a directory that is not known to be durable, with those of its
// parents that are not known to be durable either, from the lowest up.
type chain struct {
	links []link
	top   bool // the highest link is the root; the directories above it belong to others
}

// link is one directory of a chain.
type link struct {
	dir string
	id  identity
	in  *folder // its parent, which holds its name; nil for the root of the store
}

// unsecured returns the directories from rel, open as d, upwards that secure
// has to make durable; nil if all are durable. They are held open from now on,
// so that opening them cannot fail later.
func (s *Store) unsecured(rel string, d *folder) (_ *chain, err error) {
	var c *chain
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	for {
		id, err := identify(d.f)
		if err != nil {
			return nil, err
		}
		if known, ok := s.durable.Load(d.path); ok && known == id {
			return c, nil
		}
		if c == nil {
			c = &chain{}
		}
		if rel == "" {
			c.links = append(c.links, link{dir: d.path, id: id})
			c.top = true
			return c, nil
		}
		dir := d.path
		rel = parent(rel)
		if d, err = s.openFolder(rel); err != nil {
			return nil, err
		}
		c.links = append(c.links, link{dir, id, d})
	}
}

// flushChain starts flushing the names of the directories of c, all at once.
// It returns a function that waits until all are flushed. Nothing relies on
// any of them before that.
func (s *Store) flushChain(c *chain) (wait func() error) {
	if c == nil {
		return func() error { return nil }
	}
	errs := make([]error, len(c.links))
	var wg sync.WaitGroup
	for i, l := range c.links {
		if known, ok := s.durable.Load(l.dir); ok && known == l.id {
			continue // it is durable by now, and so are its parents
		}
		wg.Go(func() {
			if l.in == nil {
				errs[i] = s.flushAbove()
			} else {
				errs[i] = s.flush(l.in)
			}
		})
	}
	return func() error {
		defer c.close()
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		for _, l := range c.links {
			s.durable.Store(l.dir, l.id)
		}
		return nil
	}
}

// close closes the directories of c.
func (c *chain) close() {
	if c == nil {
		return
	}
	for _, l := range c.links {
		l.in.close()
	}
	c.links = nil
}
