// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"
)

// testID returns the peer id of seed i.
func testID(t testing.TB, i int) ID {
	t.Helper()
	seed := make([]byte, 32)
	seed[0], seed[1] = byte(i), byte(i>>8)
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// clock is a time that a test moves.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

func newTestBook(file string) (*Book, *clock) {
	c := &clock{now: time.UnixMilli(1_700_000_000_000)}
	return NewBook(BookConfig{File: file, Now: c.read}), c
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6 }

func TestScoresHalveEachHourAndStayInBounds(t *testing.T) {
	b, c := newTestBook("")
	id := testID(t, 1)
	b.Add(id, -WrongUnit)
	b.Add(id, -InvalidSync)
	if s := b.Score(id); !near(s, -700) {
		t.Errorf("score %v", s)
	}
	c.now = c.now.Add(time.Hour)
	if s := b.Score(id); !near(s, -350) {
		t.Errorf("after an hour %v", s)
	}
	b.Add(id, -50)
	c.now = c.now.Add(2 * time.Hour)
	if s := b.Score(id); !near(s, -100) {
		t.Errorf("after two more hours %v", s)
	}
	b.Add(id, -1e9)
	if s := b.Score(id); s != MinScore {
		t.Errorf("lowest %v", s)
	}
	b.Add(id, 1e9)
	if s := b.Score(id); s != MaxScore {
		t.Errorf("highest %v", s)
	}
	if s := b.Score(testID(t, 2)); s != 0 {
		t.Errorf("a stranger has %v", s)
	}
}

func TestBanComesAfterAMinuteAndDoubles(t *testing.T) {
	b, c := newTestBook("")
	id := testID(t, 1)
	low := func(d time.Duration) bool { c.now = c.now.Add(d); return b.Observe(id, BanBelow-1) }
	if low(0) || low(59*time.Second) {
		t.Fatal("banned too early")
	}
	b.Observe(id, BanBelow) // recovered: the minute starts again
	if low(30*time.Second) || low(59*time.Second) || !low(time.Second) {
		t.Fatal("the minute was counted wrongly")
	}
	for i, want := range []time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour, 24 * time.Hour, 24 * time.Hour} {
		if i > 0 {
			b.Ban(id)
		}
		c.now = c.now.Add(want - time.Millisecond)
		if !b.Banned(id) {
			t.Errorf("ban %d ended before %s", i, want)
		}
		c.now = c.now.Add(time.Millisecond)
		if b.Banned(id) {
			t.Errorf("ban %d lasts longer than %s", i, want)
		}
	}
}

func addr(id ID, n int) string { return fmt.Sprintf("/ip4/1.2.3.%d/tcp/9943/p2p/%s", n, id) }

func TestAddressesSurviveARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "net", "peers.json")
	b, c := newTestBook(file)
	for i := range 70 {
		c.now = c.now.Add(time.Second)
		b.Seen(testID(t, i), []string{addr(testID(t, i), i), addr(testID(t, 0), 200), "nonsense"})
	}
	b.Add(testID(t, 69), -10) // not good enough
	b.Ban(testID(t, 68))
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	again := NewBook(BookConfig{File: file, Now: c.read})
	known := again.Known(100)
	if len(known) != 64 || known[0].ID != testID(t, 67) || known[63].ID != testID(t, 4) {
		t.Errorf("%d peers, first %s", len(known), known[0].ID)
	}
	if len(known[0].Addrs) != 1 {
		t.Errorf("addresses %v", known[0].Addrs)
	}
	if !again.Banned(testID(t, 68)) {
		t.Error("the ban was forgotten")
	}
}

func TestWidestAddress(t *testing.T) {
	tail := "/tcp/1/p2p/" + testID(t, 1).String()
	loop, lan, public, name := "/ip4/127.0.0.1"+tail, "/ip4/10.0.0.1"+tail, "/ip4/8.8.8.8"+tail, "/dns4/seed.example.org"+tail
	for _, c := range []struct {
		in   []string
		want string
	}{
		{nil, ""}, {[]string{"nonsense"}, ""}, {[]string{loop}, loop}, {[]string{loop, lan}, lan},
		{[]string{loop, lan, public}, public}, {[]string{public, name, lan}, name},
	} {
		if got := Widest(c.in); got != c.want {
			t.Errorf("of %v: %q", c.in, got)
		}
	}
}

func TestHearsayNeverReplacesWhatAPeerSaid(t *testing.T) {
	b, _ := newTestBook("")
	id := testID(t, 1)
	b.Heard(id, []string{addr(id, 1)})
	b.Seen(id, []string{addr(id, 2)})
	b.Heard(id, []string{addr(id, 3)})
	known := b.Known(1)
	if len(known) != 1 || known[0].Addrs[0].String() != "/ip4/1.2.3.2/tcp/9943" {
		t.Errorf("got %v", known)
	}
}

func TestBookIsBoundedAndForgetsBannedPeersLast(t *testing.T) {
	b, c := newTestBook("")
	banned := testID(t, 0)
	b.Ban(banned)
	for i := range maxEntries + 100 {
		c.now = c.now.Add(time.Millisecond)
		b.Add(ID(fmt.Sprint(i)), 1)
	}
	if len(b.entries) > maxEntries {
		t.Errorf("%d entries", len(b.entries))
	}
	if !b.Banned(banned) || b.Score("0") != 0 || b.Score(ID(fmt.Sprint(maxEntries+99))) == 0 {
		t.Error("the wrong entries were dropped")
	}
}

func TestDamagedStoreIsAnEmptyBook(t *testing.T) {
	for name, raw := range map[string]string{
		"no JSON":           "{",
		"another version":   `{"version":2,"peers":[]}`,
		"a peer without id": `{"version":1,"peers":[{"id":"x"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := decodeStore([]byte(raw)); !errors.Is(err, ErrStore) {
				t.Errorf("got %v", err)
			}
			file := filepath.Join(t.TempDir(), "peers.json")
			if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
				t.Fatal(err)
			}
			if b, _ := newTestBook(file); len(b.entries) != 0 {
				t.Error("not empty")
			}
		})
	}
	if _, err := decodeStore(bytes.Repeat([]byte(" "), maxStore+1)); !errors.Is(err, ErrStore) {
		t.Errorf("an oversized file: %v", err)
	}
}

func FuzzDecodeStore(f *testing.F) {
	id := testID(f, 1)
	f.Add([]byte(`{"version":1,"peers":[{"id":"` + id.String() + `","addrs":["` + addr(id, 1) + `"],"seen_ms":1,"ban_until_ms":9,"bans":-4}]}`))
	f.Add([]byte(`{"version":1,"peers":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := decodeStore(raw)
		if err != nil {
			return
		}
		for _, e := range list {
			if len(e.addrs) > maxAddrs || e.bans < 0 || e.bans > 5 {
				t.Fatalf("out of bounds: %+v", e)
			}
		}
	})
}

func TestBucket(t *testing.T) {
	now := time.Unix(0, 0)
	b := NewBucket(10, 20, now)
	if !b.Take(20, now) || b.Take(1, now) {
		t.Fatal("the burst is not 20")
	}
	if b.Take(1, now.Add(99*time.Millisecond)) || !b.Take(1, now.Add(100*time.Millisecond)) {
		t.Error("the rate is not 10 per second")
	}
	if d := b.Reserve(5, now.Add(100*time.Millisecond)); d != 500*time.Millisecond {
		t.Errorf("a debt of 5 takes %s", d)
	}
	if b.Full(now.Add(2*time.Second)) || !b.Full(now.Add(3*time.Second)) {
		t.Error("20 tokens and a debt of 5 take 2.5 s")
	}
}

// Over any run of calls a bucket never gives more than burst + rate · time.
func TestBucketNeverGivesMoreThanItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(0, 0)
		rate := rapid.Float64Range(0.1, 1000).Draw(t, "rate")
		burst := rapid.Float64Range(1, 1000).Draw(t, "burst")
		b, now, given := NewBucket(rate, burst, start), start, 0.0
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			now = now.Add(time.Duration(rapid.IntRange(-50, 1000).Draw(t, "ms")) * time.Millisecond)
			if n := rapid.Float64Range(0, 50).Draw(t, "n"); b.Take(n, now) {
				given += n
			}
		}
		latest := 200 * time.Second
		if most := burst + float64(rate*latest.Seconds()); given > most {
			t.Fatalf("gave %v of at most %v", given, most)
		}
	})
}
