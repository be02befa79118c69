// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/enc"
)

func goodStatus() Status {
	return Status{ChainID: [32]byte{1, 2, 3, 4}, Version: 3, Features: 1, Height: 77, Final: [32]byte{9}, Epoch: 2,
		Earliest: 1, TimeMS: 1_000_000, Listen: []string{"/ip4/1.2.3.4/tcp/9943"}, Known: []string{}, Binding: []byte{}}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Status)
		want   error
	}{
		{"the same network passes", func(*Status) {}, nil},
		{"a newer version passes", func(s *Status) { s.Version = 9 }, nil},
		{"another chain is refused", func(s *Status) { s.ChainID[31] = 1 }, ErrWrongNetwork},
		{"an old version is refused", func(s *Status) { s.Version = 1 }, ErrTooOld},
		{"a clock 10 s ahead passes", func(s *Status) { s.TimeMS += 10_000 }, nil},
		{"a clock 10.001 s ahead is refused", func(s *Status) { s.TimeMS += 10_001 }, ErrClockSkew},
		{"a clock 10.001 s behind is refused", func(s *Status) { s.TimeMS -= 10_001 }, ErrClockSkew},
		{"the largest time does not overflow", func(s *Status) { s.TimeMS = 1<<64 - 1 }, ErrClockSkew},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := goodStatus()
			c.change(&s)
			if err := judge(s, goodStatus().ChainID, 2, 1_000_000); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestStatusBounds(t *testing.T) {
	many := make([]string, 9)
	for i := range many {
		many[i] = "/ip4/1.2.3.4/tcp/1"
	}
	for _, c := range []struct {
		name   string
		change func(*Status)
		good   bool
	}{
		{"as it should be", func(*Status) {}, true},
		{"too many own addresses", func(s *Status) { s.Listen = many }, false},
		{"too many known addresses", func(s *Status) { s.Known = many }, false},
		{"a long address", func(s *Status) { s.Known = []string{strings.Repeat("x", maxAddrLen+1)} }, false},
		{"a long binding", func(s *Status) { s.Binding = make([]byte, maxBinding+1) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := goodStatus()
			c.change(&s)
			got, err := decodeStatus(enc.Encode(s))
			if c.good && (err != nil || !reflect.DeepEqual(got, s)) {
				t.Errorf("got %+v, %v", got, err)
			}
			if !c.good && !errors.Is(err, ErrHandshake) {
				t.Errorf("got %v, want ErrHandshake", err)
			}
		})
	}
}

func TestEncodeStatusAlwaysFits(t *testing.T) {
	s := goodStatus()
	for range 40 {
		s.Listen = append(s.Listen, strings.Repeat("y", maxAddrLen))
		s.Known = append(s.Known, strings.Repeat("z", maxAddrLen))
	}
	s.Binding = make([]byte, maxBinding)
	got, err := decodeStatus(encodeStatus(s))
	if err != nil || len(got.Listen) != maxListen || len(got.Binding) != maxBinding {
		t.Fatalf("%d+%d addresses, %v", len(got.Listen), len(got.Known), err)
	}
	s.Listen[0] = strings.Repeat("y", 5000)
	if b := encodeStatus(s); len(b) > statusMax {
		t.Fatalf("%d bytes", len(b))
	}
}

func TestRefusalNamesTravelAsText(t *testing.T) {
	for _, want := range refusals {
		if err := named("peer refused: \"" + want.Error() + ": because\""); !errors.Is(err, want) {
			t.Errorf("%v became %v", want, err)
		}
	}
	if err := named("something else"); !errors.Is(err, ErrHandshake) {
		t.Error(err)
	}
}

func FuzzDecodeStatus(f *testing.F) {
	f.Add(encodeStatus(goodStatus()))
	f.Add([]byte{0x8b, 0x40})
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := decodeStatus(in)
		if err != nil {
			return
		}
		if out := enc.Encode(s); string(out) != string(in) {
			t.Fatalf("two encodings of one status: %x and %x", in, out)
		}
		_ = judge(s, [32]byte{}, 1, 1)
	})
}
