// SPDX-License-Identifier: Apache-2.0

//go:build cuda && linux && (amd64 || arm64)

package worker_test

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openledger/openledger/gpu/fakecuda"
	"github.com/openledger/openledger/gpu/host"
	"github.com/openledger/openledger/gpu/host/hosttest"
	"github.com/openledger/openledger/gpu/proc"
	"github.com/openledger/openledger/gpu/shadow"
	"github.com/openledger/openledger/node/cards"
	"github.com/openledger/openledger/node/clock"
	"github.com/openledger/openledger/node/config"
	"github.com/openledger/openledger/node/worker"
)

// untested makes a worker serve its card without the self-test, so that faults come
// in the middle of a task.
const untested = "OPENLEDGER_TEST_UNTESTED"

func TestMain(m *testing.M) { hosttest.Main(m, serve) }

func serve(uuid string, l host.Limits) error {
	if os.Getenv(untested) == "" {
		return host.Work(uuid, l)
	}
	requests, replies, shared, err := proc.Files()
	if err != nil {
		return err
	}
	d, err := host.OpenHere(uuid, l.Memory)
	if err != nil {
		return err
	}
	return proc.Serve(requests, replies, shared, shadow.New(d, shadow.Options{Seed: 1}))
}

// told passes on what the cards log.
type told struct {
	slog.Handler
	lines chan string
}

func (h told) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	h.lines <- line
	return nil
}

// owner runs the cards of a node with the stand-in driver.
type owner struct {
	*cards.Cards
	t     *testing.T
	lines chan string
}

func start(t *testing.T, set config.GPU, env ...string) *owner {
	t.Helper()
	for _, e := range append(env, "LD_LIBRARY_PATH="+library(t)) {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	o := &owner{t: t, lines: make(chan string, 100)}
	var err error
	o.Cards, err = cards.New(cards.Config{Settings: set, Host: cards.Machine{Exe: os.Args[0], Deadline: time.Second},
		Clock: clock.NewReal(), Log: slog.New(told{slog.NewTextHandler(os.Stderr, nil), o.lines})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { o.Run(ctx); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	return o
}

// says waits for a line of the log.
func (o *owner) says(text string) string {
	o.t.Helper()
	var all []string
	late := time.After(time.Minute)
	for {
		select {
		case l := <-o.lines:
			if all = append(all, l); strings.Contains(l, text) {
				return l
			}
		case <-late:
			o.t.Fatalf("the log does not say %q: %q", text, all)
		}
	}
}

func (o *owner) lend() worker.Card {
	if l := o.Take("task"); l != nil {
		return l
	}
	return nil
}

var built string

// library builds the stand-in once.
func library(t *testing.T) string {
	t.Helper()
	if built == "" {
		dir, err := os.MkdirTemp("", "fakecuda")
		if err == nil {
			err = fakecuda.Build(dir)
		}
		if err != nil {
			t.Fatal(err)
		}
		built = dir
	}
	return built
}

// TestGPU07ATaskOnTheStandIn runs a task on a card behind a worker process that is
// well, aborts, hangs, fails or turns bits in the middle; every time the node lives
// on and the result is that of the processor.
func TestGPU07ATaskOnTheStandIn(t *testing.T) {
	for name, k := range map[string]struct {
		in    worker.Inputs
		after string // launches that go well
		cases int
	}{"training": {training(t), fakecuda.After + "=150", 5}, "learning": {learning(t), fakecuda.After + "=900", 3}} {
		t.Run(name, func(t *testing.T) { onTheStandIn(t, k.in, k.after, k.cases) })
	}
}

func onTheStandIn(t *testing.T, in worker.Inputs, after string, cases int) {
	want, err := worker.Execute(in, worker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		env  []string
		says string
	}{
		{"well", nil, ""},
		{"aborts", []string{after, fakecuda.Abort + "=1"}, "card lost"},
		{"turns bits", []string{after, fakecuda.Flip + "=1"}, "card computed a wrong bit"},
		{"hangs", []string{after, fakecuda.Hang + "=1"}, "card lost"},
		{"fails a launch", []string{after, fakecuda.LaunchCode + "=700"}, "card lost"},
	}[:cases] {
		t.Run(c.name, func(t *testing.T) {
			o := start(t, config.GPU{Devices: "auto"}, append(c.env, untested+"=1")...)
			if line := o.says("card ready"); !strings.Contains(line, "fake device 0") || !strings.Contains(line, "class=cuda-") {
				t.Errorf("log: %s", line)
			}
			lent := 0
			got, err := worker.Execute(in, worker.Options{Cards: func() worker.Card { lent++; return o.lend() }})
			if err != nil {
				t.Fatal(err)
			}
			if got.Verdict != want.Verdict || got.Content != want.Content || !slices.Equal(got.Leaves, want.Leaves) {
				t.Error("other bits")
			}
			o.says("card works card=0")
			if c.says == "" && lent != 1 {
				t.Errorf("asked %d times for a card, once is enough", lent)
			}
			if c.says == "card lost" { // it comes back
				o.says(c.says)
				o.says("card ready")
			} else if c.says != "" {
				o.says(c.says)
			}
		})
	}
}

func TestGPU08ACardThatFailsItsSelfTestIsNotUsed(t *testing.T) {
	o := start(t, config.GPU{Devices: "0"}, fakecuda.Flip+"=1")
	o.says("card computes wrong and is not used")
	if list, _ := o.Status(); list[0].State != cards.Off || !strings.Contains(list[0].Why, "self-test failed") || o.lend() != nil {
		t.Errorf("%+v", list)
	}
}

func TestGPU04ADriverThatDoesNotStartStopsNothing(t *testing.T) {
	o := start(t, config.GPU{Devices: "auto"}, fakecuda.InitCode+"=100")
	if line := o.says("no card to work with"); !strings.Contains(line, "CUDA error 100") || o.lend() != nil {
		t.Error(line)
	}
}

func TestGPU10TheTemperatureIsRead(t *testing.T) {
	o := start(t, config.GPU{Devices: "auto", MaxTemp: 70}, fakecuda.Temperature+"=71")
	if line := o.says("card rests"); !strings.Contains(line, "the limit is 70") {
		t.Error(line)
	}
	o = start(t, config.GPU{Devices: "auto", MaxTemp: 70}, fakecuda.Temperature+"=65")
	o.says("card ready")
	if list, _ := o.Status(); list[0].Temperature != 65 {
		t.Errorf("%+v", list)
	}
}
