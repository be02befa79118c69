// SPDX-License-Identifier: Apache-2.0

package member

import (
	"context"
	"errors"
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/driver"
	"github.com/openledger/openledger/node/store"
)

// answers is a network in which everybody gives the same frames.
type answers struct {
	driver.Network
	frames [][]byte
	asked  keys.PublicKey
}

// Ask implements driver.Network.
func (a *answers) Ask(_ context.Context, key keys.PublicKey, _ string, _ []byte, each func([]byte) error) error {
	a.asked = key
	for _, f := range a.frames {
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}

// TestCONS45WhoHasLeftTheEpochIsNoAnswer: it does not say how far it was there, and a
// key that has lost its guard would believe that nothing was certified.
func TestCONS45WhoHasLeftTheEpochIsNoAnswer(t *testing.T) {
	w := chaintest.New(t, 4, 2)
	net := new(answers)
	m := &Member{cfg: Config{Key: w.Votes[0], Chain: w.Open(store.OpenMemory()), Driver: driver.Config{Net: net}}}
	mine := w.Certify(cert.Finalize, w.Child(w.Head(m.cfg.Chain), 9))
	later := *mine
	later.Epoch++
	all := func(*cert.Certificate) bool { return true }
	for name, x := range map[string]struct {
		frames [][]byte
		view   uint64
		err    error
	}{
		"a certificate of the epoch":             {[][]byte{mine.Encode()}, 9, nil},
		"nothing yet":                            {nil, 0, nil},
		"a certificate of a later one":           {[][]byte{later.Encode()}, 0, errAhead},
		"of both, the root of the later at last": {[][]byte{mine.Encode(), later.Encode()}, 9, errAhead},
	} {
		net.frames = x.frames
		view, err := m.ask(t.Context(), w.Set, 2, all)
		if view != x.view || !errors.Is(err, x.err) || net.asked != w.Set.Key(2) {
			t.Errorf("%s: view %d, %v, asked %v", name, view, err, net.asked)
		}
	}
}
