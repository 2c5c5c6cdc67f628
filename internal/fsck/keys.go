package fsck

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mindtrace/registry/fault"
	"github.com/mindtrace/registry/internal/ledger"
	"github.com/mindtrace/registry/internal/manifest"
	"github.com/mindtrace/registry/store"
)

// list verifies all keys with a prefix, and what they hold.
func (v *verification) list(ctx context.Context, prefix string) error {
	for info, err := range v.l.Store.List(ctx, prefix, "") {
		if bad := (*fault.UnreadableError)(nil); errors.As(ledger.ListingError(err), &bad) {
			v.problem(bad.Key, "", bad)
			v.milestones.hidden(bad.Ref)
			continue
		}
		if err != nil {
			return err
		}
		if err := v.key(ctx, info); err != nil {
			return err
		}
	}
	v.reportMilestones("")
	return nil
}

// key verifies what one key holds.
func (v *verification) key(ctx context.Context, info store.Info) error {
	key := info.Key
	starts := func(prefix string) bool { return strings.HasPrefix(key, prefix) }
	switch {
	case starts(manifest.ObjectsPrefix):
		return v.object(ctx, info)
	case starts(manifest.TagsPrefix("")):
		return v.tag(ctx, key)
	case starts(manifest.LocksPrefix):
		name, id, err := manifest.ParseLockKey(key)
		if err != nil {
			v.stranger(key, err)
			return nil
		}
		return v.register(ctx, key, func(body []byte) error {
			l, err := manifest.DecodeLock(body, name, id != "")
			if err == nil {
				err = l.Last()
			}
			return err
		})
	case starts(manifest.CollectionsPrefix):
		if !manifest.IsCollectionKey(key) {
			v.stranger(key, errStranger)
			return nil
		}
		return v.register(ctx, key, func(body []byte) error {
			_, err := manifest.DecodeCollection(body)
			return err
		})
	case starts(manifest.PacksPrefix):
		if _, err := manifest.ParsePackKey(key); err != nil {
			v.stranger(key, err)
		}
	case starts(manifest.ProbePrefix): // of a probe that is running, or was killed
	case key == manifest.SettingsKey:
		return v.register(ctx, key, func(body []byte) error {
			s, err := manifest.DecodeSettings(body)
			if err == nil && s.ID != v.l.Settings.ID {
				err = fmt.Errorf("%w: the settings are those of another registry: their id is %s, not %s", fault.ErrIntegrity, s.ID, v.l.Settings.ID)
			}
			return err
		})
	default:
		v.stranger(key, errStranger)
	}
	return nil
}

var errStranger = errors.New("a registry has no key of this form")

// stranger reports a key that no registry has put. It does not read what it holds.
func (v *verification) stranger(key string, err error) {
	v.problem(key, "", fmt.Errorf("%s does not belong here, move it away: %w", key, err))
}

// register verifies a register that is not that of a version.
func (v *verification) register(ctx context.Context, key string, check func([]byte) error) error {
	_, err := v.l.ReadRegister(ctx, key, "", check)
	switch {
	case ledger.IsUnreadable(err):
		v.problem(key, "", err)
	case err != nil && !ledger.IsNotFound(err): // not found: removed meanwhile
		return err
	}
	return nil
}

// object verifies a key of an object: the register of a version, or a milestone.
func (v *verification) object(ctx context.Context, info store.Info) error {
	if name, number, err := manifest.ParseMilestoneKey(info.Key); err == nil {
		v.reportMilestones(name)
		if info.Size > 0 {
			v.problem(info.Key, "", fmt.Errorf("%s: %w: the milestone holds %d bytes, but must be empty", info.Key, fault.ErrIntegrity, info.Size))
			return nil
		}
		v.milestones.add(name, number, info.Key)
		return nil
	}
	name, number, err := manifest.ParseVersionRegisterKey(info.Key)
	if err != nil {
		v.stranger(info.Key, err)
		return nil
	}
	v.reportMilestones(name)
	delete(v.milestones.keys, number)
	return v.read(ctx, name, number)
}

// milestones are those milestones of one object whose register has not been listed
// yet. An object's milestones are listed before its registers.
type milestones struct {
	name string // of the object
	keys map[manifest.Version]string
}

func (m *milestones) add(name string, v manifest.Version, key string) {
	if m.keys == nil {
		m.keys = map[manifest.Version]string{}
	}
	m.name, m.keys[v] = name, key
}

// hidden records that a part of an object cannot be listed; "" means of any
// object. Then nothing can be said about its milestones.
func (m *milestones) hidden(name string) {
	if name == "" || name == m.name {
		m.keys = nil
	}
}

// reportMilestones is called with the object of the next key. If that is another
// object, the remaining milestones name versions that have no register, and are
// reported. In a copy that is still being made, a milestone may arrive before its
// register; then the next verification does not report it.
func (v *verification) reportMilestones(name string) {
	if m := &v.milestones; m.name != name {
		for _, number := range slices.SortedFunc(maps.Keys(m.keys), manifest.Version.Compare) {
			key := m.keys[number]
			v.problem(key, "", fmt.Errorf("%s: %w: the milestone says that %s@%s exists, but it does not", key, fault.ErrIntegrity, m.name, number))
		}
		m.name, m.keys = name, nil
	}
}

// tag verifies that a tag can be read, and that it points at a live version with
// the digest that the tag says.
func (v *verification) tag(ctx context.Context, key string) error {
	name, tag, err := manifest.ParseTagKey(key)
	if err != nil {
		v.stranger(key, err)
		return nil
	}
	_, err = v.l.ResolveTag(ctx, name, tag)
	switch {
	case err == nil:
	case errors.Is(err, fault.ErrDangling), ledger.IsUnreadable(err):
		v.problem(key, name+"@"+tag, err)
	case errors.Is(err, fault.ErrNotFound): // it is removed
	default:
		return err
	}
	return nil
}
