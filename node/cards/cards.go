// SPDX-License-Identifier: Apache-2.0

package cards

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cuda"
	"github.com/openledger/openledger/gpu/host"
	"github.com/openledger/openledger/gpu/proc"
	"github.com/openledger/openledger/node/clock"
	"github.com/openledger/openledger/node/config"
)

// Host is how cards are reached; Machine is that of this machine.
type Host interface {
	// List finds the cards.
	List(ctx context.Context) ([]cuda.Card, error)
	// Open starts a card's worker, which tests it first.
	Open(uuid string, l host.Limits) (gpu.Device, error)
	// Temperature is a card's, in °C.
	Temperature(ctx context.Context, uuid string) (int, error)
}

// Config is what New needs. Settings have passed config.Config.Check.
type Config struct {
	Settings config.GPU
	Host     Host
	Clock    clock.Clock
	Log      *slog.Logger
}

// State is what a card does.
type State string

// States of a card.
const (
	Starting State = "starting" // its worker is started and tests it
	Ready    State = "ready"
	Busy     State = "busy" // lent to a task
	Resting  State = "resting"
	Lost     State = "lost" // started again after a while
	Off      State = "off"  // not used until the node starts again
)

// States lists them.
func States() []State { return []State{Starting, Ready, Busy, Resting, Lost, Off} }

// Status describes a card.
type Status struct {
	Index       int
	Name        string
	Class       string // empty until it was opened
	UUID        string
	Memory      uint64 // bytes that may be used
	Share       uint64 // percent of the time
	State       State
	Why         string // it rests, is lost or off
	Task        string // that it works for
	Temperature int    // °C; 0 unless there is a limit
	// Since the node started: the time for which it was lent, until now; how often it
	// was lent, lost, and gave a wrong bit.
	Busy                      time.Duration
	Tasks, Losses, Mismatches uint64
}

// Cards are the cards of one node.
type Cards struct {
	cfg   Config
	hours host.Schedule
	mu    sync.Mutex
	list  []*card
	none  string // why there are none
	ended bool   // nothing is lent any more
	lent  sync.WaitGroup
}

// card is guarded by the mutex; dev is also used by the one that it is lent to.
type card struct {
	Status
	dev    gpu.Device // nil: not open
	lent   bool
	since  time.Time // lent since
	health proc.Health
	due    time.Time // when it is opened
	read   time.Time // when its temperature was read
	hot    string    // why it may not work
}

// New returns the cards; Run finds and opens them.
func New(cfg Config) (*Cards, error) {
	hours, err := host.ParseSchedule(cfg.Settings.Schedule)
	return &Cards{cfg: cfg, hours: hours}, err
}

const (
	tending    = time.Second      // between two looks at the cards
	thermostat = 10 * time.Second // between two temperatures of a card
	grace      = 2 * time.Second  // that a task has to give its card back when the node stops
	cooler     = 5                // °C below the limit at which a card works again
)

// Run finds the offered cards, opens them and looks after them until ctx ends; then
// it waits until they are given back and closes them.
func (c *Cards) Run(ctx context.Context) {
	tick := time.NewTicker(tending)
	defer tick.Stop()
	c.find(ctx)
	for ctx.Err() == nil {
		c.tend(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	late := time.AfterFunc(grace, c.kill)
	c.lent.Wait()
	late.Stop()
	for _, k := range c.list {
		if k.dev != nil {
			if err := k.dev.Close(); err != nil {
				c.cfg.Log.Warn("card does not close", "card", k.Index, "err", err)
			}
		}
	}
}

// kill ends the workers of cards that are not given back: one may hang.
func (c *Cards) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.list {
		if d, ok := k.dev.(interface{ Kill() }); ok && k.lent {
			d.Kill()
		}
	}
}

func (c *Cards) now() time.Time { return time.UnixMilli(int64(c.cfg.Clock.Wall())) }

// find lists the offered cards.
func (c *Cards) find(ctx context.Context) {
	set := c.cfg.Settings
	pick, err := host.ParseSelect(set.Devices)
	if err != nil || pick.Off() {
		return
	}
	found, err := c.cfg.Host.List(ctx)
	if err == nil && len(found) == 0 {
		err = errors.New("the driver shows none")
	}
	var list []*card
	for _, f := range found {
		if pick.Has(f.Index) {
			list = append(list, c.offered(f))
		}
	}
	for _, i := range pick.Indices {
		if err == nil && !slices.ContainsFunc(found, func(f cuda.Card) bool { return f.Index == i }) {
			list = append(list, &card{Status: Status{Index: i, State: Off, Why: "there is no such card; openledger gpu list shows those that are"}})
		}
	}
	c.mu.Lock()
	c.list = list
	if err != nil {
		c.none = firstLine(err.Error())
	}
	c.mu.Unlock()
	if err != nil {
		c.cfg.Log.Warn("no card to work with; tasks run on the processor", "err", c.none)
	}
	for _, k := range list {
		if k.State == Off {
			c.cfg.Log.Warn("card is not used", "card", k.Index, "name", k.Name, "why", k.Why)
		}
	}
}

// offered is a card that was found, with its limits.
func (c *Cards) offered(f cuda.Card) *card {
	k := &card{Status: Status{Index: f.Index, Name: f.Name, UUID: f.UUID, State: Starting}}
	var err1, err2 error
	k.Memory, err1 = host.ParseMemory(c.cfg.Settings.Memory, f.Memory)
	k.Share, err2 = host.ParseShare(c.cfg.Settings.Share)
	if err := errors.Join(err1, err2); err != nil {
		k.State, k.Why = Off, err.Error()
	}
	return k
}

// tend opens what is due and puts to rest what must rest.
func (c *Cards) tend(ctx context.Context) {
	for _, k := range c.list { // the list is Run's; what is in it is not
		c.measure(ctx, k)
		now := c.now()
		c.mu.Lock()
		why := c.rests(k, now)
		open := k.dev == nil && k.State != Off && why == "" && !now.Before(k.due)
		var closing gpu.Device
		switch {
		case k.State == Off || k.lent:
		case why != "":
			if k.State != Resting || k.Why != why {
				c.cfg.Log.Info("card rests", "card", k.Index, "name", k.Name, "why", why)
			}
			k.State, k.Why = Resting, why
			closing, k.dev = k.dev, nil // its owner has its memory back
		case open:
			k.State, k.Why = Starting, ""
		}
		c.mu.Unlock()
		if closing != nil {
			_ = closing.Close()
		}
		if open && ctx.Err() == nil {
			c.open(ctx, k)
		}
	}
}

// rests says why a card may not work now.
func (c *Cards) rests(k *card, now time.Time) string {
	if !c.hours.Open(now) {
		return "it is outside the hours " + c.cfg.Settings.Schedule
	}
	return k.hot
}

// measure reads the temperature of a card that has a limit. A card whose
// temperature cannot be read does not work.
func (c *Cards) measure(ctx context.Context, k *card) {
	limit, now := int(c.cfg.Settings.MaxTemp), c.now()
	c.mu.Lock()
	off := k.State == Off
	c.mu.Unlock()
	if limit == 0 || off || !k.read.IsZero() && now.Sub(k.read) < thermostat {
		return
	}
	k.read = now
	t, err := c.cfg.Host.Temperature(ctx, k.UUID)
	c.mu.Lock()
	defer c.mu.Unlock()
	k.Temperature = t
	switch {
	case err != nil:
		k.hot = "its temperature cannot be read (--gpu-max-temp 0 does without): " + firstLine(err.Error())
	case t >= limit:
		k.hot = fmt.Sprintf("it is hot: the limit is %d °C", limit)
	case t <= limit-cooler:
		k.hot = ""
	}
}

// open starts the worker of a card. If the node stops before it answers, it is
// closed when it does, or dies with the process.
func (c *Cards) open(ctx context.Context, k *card) {
	started := c.now()
	var d gpu.Device
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		d, err = c.cfg.Host.Open(k.UUID, host.Limits{Memory: k.Memory, Share: k.Share})
	}()
	select {
	case <-done:
	case <-ctx.Done():
		go func() {
			if <-done; err == nil {
				_ = d.Close()
			}
		}()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		k.dev, k.State, k.Why, k.Class = d, Ready, "", d.Info().Class
		c.cfg.Log.Info("card ready", "card", k.Index, "name", k.Name, "class", k.Class, "uuid", k.UUID, "memory_mib", k.Memory>>20,
			"share", k.Share, "self_test", "passed", "in", c.now().Sub(started))
	case strings.Contains(err.Error(), host.ErrSelfTest.Error()):
		k.State, k.Why = Off, firstLine(err.Error())
		k.Mismatches++
		c.cfg.Log.Error("card computes wrong and is not used", "card", k.Index, "name", k.Name, "err", err)
	default:
		c.lose(k, "", err)
	}
}

// lose records the loss of a card and when it is started again.
func (c *Cards) lose(k *card, task string, err error) {
	k.Losses++
	wait, quarantine := k.health.Lost(c.now(), task)
	if quarantine {
		wait = time.Minute
	}
	k.dev, k.State, k.Why, k.due = nil, Lost, firstLine(err.Error()), c.now().Add(wait)
	c.cfg.Log.Warn("card lost", "card", k.Index, "name", k.Name, "task", task, "again_in", wait, "err", err)
}

// Status describes the offered cards; none says why there are none where there
// should be some.
func (c *Cards) Status() (list []Status, none string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.list {
		s := k.Status
		if k.lent {
			s.Busy += c.now().Sub(k.since)
		}
		list = append(list, s)
	}
	return list, c.none
}

// firstLine is the beginning of what a worker said.
func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > 300 {
		s = s[:300] + " …"
	}
	return s
}
