// SPDX-License-Identifier: Apache-2.0

package cards

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cuda"
	"github.com/openledger/openledger/gpu/host"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/node/clock"
	"github.com/openledger/openledger/node/config"
)

// machine is a Host of reference devices.
type machine struct {
	cards  []cuda.Card
	noList error
	noOpen error
	heat   int
	noHeat error
	opened []host.Limits
	live   int // devices that are open
	killed chan struct{}
}

type device struct {
	gpu.Device
	m *machine
}

func (d device) Close() error { d.m.live--; return d.Device.Close() }
func (d device) Kill()        { close(d.m.killed) }

func (m *machine) List(context.Context) ([]cuda.Card, error) {
	if m.noList != nil {
		return nil, m.noList
	}
	return m.cards, nil
}

func (m *machine) Open(uuid string, l host.Limits) (gpu.Device, error) {
	m.opened = append(m.opened, l)
	if m.noOpen != nil {
		return nil, m.noOpen
	}
	m.live++
	return device{ref.New(l.Memory), m}, nil
}

func (m *machine) Temperature(context.Context, string) (int, error) { return m.heat, m.noHeat }

// world is a node's cards under a clock that the test moves.
type world struct {
	*Cards
	t     *testing.T
	m     *machine
	clock *clock.Manual
	log   bytes.Buffer
}

// at is noon of some day, local time.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.Local)

func open(t *testing.T, set config.GPU, m *machine) *world {
	t.Helper()
	w := &world{t: t, m: m, clock: clock.NewManual(uint64(noon.UnixMilli()))}
	if m.cards == nil {
		m.cards = []cuda.Card{{Index: 0, Name: "first", UUID: "GPU-0", Memory: 1 << 30}, {Index: 1, Name: "second", UUID: "GPU-1", Memory: 1 << 31}}
	}
	var err error
	if w.Cards, err = New(Config{Settings: set, Host: m, Clock: w.clock, Log: slog.New(slog.NewTextHandler(&w.log, nil))}); err != nil {
		t.Fatal(err)
	}
	w.find(t.Context())
	w.tend(t.Context())
	return w
}

// after lets time pass and looks after the cards.
func (w *world) after(d time.Duration) {
	w.clock.Advance(uint64(d.Milliseconds()))
	w.tend(w.t.Context())
}

// is compares the states of all cards with their names.
func (w *world) is(when string, states ...State) {
	w.t.Helper()
	list, _ := w.Status()
	var got []State
	for _, s := range list {
		got = append(got, s.State)
	}
	if fmt.Sprint(got) != fmt.Sprint(states) {
		w.t.Errorf("%s: %v, want %v (%+v)", when, got, states, list)
	}
}

func TestGPU10OfferedCardsAreOpenedWithinLimits(t *testing.T) {
	w := open(t, config.GPU{Devices: "1", Memory: "50%", Share: "30%"}, &machine{})
	w.is("at the start", Ready)
	if l := w.m.opened; len(l) != 1 || l[0].Memory != 1<<31/100*50 || l[0].Share != 30 {
		t.Fatalf("limits %+v", l)
	}
	if !strings.Contains(w.log.String(), "card ready") || !strings.Contains(w.log.String(), "name=second") {
		t.Errorf("the log does not name the card: %s", w.log.String())
	}
	off := open(t, config.GPU{Devices: "off"}, &machine{noList: errors.New("asked")})
	if off.is("off"); off.none != "" {
		t.Error("the driver was asked though no card is offered")
	}
}

func TestACardWorksForOneTaskAtATime(t *testing.T) {
	w := open(t, config.GPU{Devices: "auto"}, &machine{})
	a, b := w.Take("one"), w.Take("two")
	if a == nil || b == nil || a.Device() == b.Device() || w.Take("three") != nil {
		t.Fatal("two cards are lent to two tasks and no more")
	}
	w.is("both lent", Busy, Busy)
	if list, _ := w.Status(); list[1].Task != "two" {
		t.Errorf("%+v", list[1])
	}
	a.Done(nil)
	w.is("one back", Ready, Busy)
	if w.Take("three") == nil {
		t.Error("a card that came back is not lent again")
	}
}

func TestOBS02WhatACardDidIsCounted(t *testing.T) {
	w := open(t, config.GPU{Devices: "0"}, &machine{})
	l := w.Take("one")
	w.after(3 * time.Second)
	l.Done(nil)
	w.after(time.Minute)
	w.Take("two").Done(gpu.ErrLost)
	w.after(time.Second)
	l = w.Take("three")
	w.after(2 * time.Second)
	if list, _ := w.Status(); list[0].Busy != 5*time.Second || list[0].Tasks != 3 || list[0].Losses != 1 || list[0].Mismatches != 0 {
		t.Errorf("while the third works: %+v", list[0])
	}
	l.Done(gpu.ErrWrong)
	if list, _ := w.Status(); list[0].Busy != 5*time.Second || list[0].Losses != 2 || list[0].Mismatches != 1 {
		t.Errorf("after a wrong bit: %+v", list[0])
	}
	w = open(t, config.GPU{Devices: "0"}, &machine{noOpen: fmt.Errorf("%w: it said: %w: exp", gpu.ErrLost, host.ErrSelfTest)})
	if list, _ := w.Status(); list[0].Mismatches != 1 {
		t.Errorf("after a self-test that failed: %+v", list[0])
	}
}

func TestGPU10OutsideItsHoursACardRests(t *testing.T) {
	w := open(t, config.GPU{Devices: "0", Schedule: "11:00-13:00"}, &machine{})
	l := w.Take("task")
	if l == nil || l.Rest() {
		t.Fatal("at noon the card does not work")
	}
	w.after(2 * time.Hour)
	if !l.Rest() {
		t.Error("the task may keep the card at 14:00")
	}
	w.is("still lent", Busy)
	l.Done(nil)
	if w.Take("other") != nil {
		t.Error("lent at 14:00")
	}
	w.after(time.Second)
	if w.is("at 14:00", Resting); w.m.live != 0 {
		t.Error("its owner does not have the memory back")
	}
	w.after(21 * time.Hour)
	if w.is("the next day at 11:00", Ready); w.m.live != 1 {
		t.Error("not opened again")
	}
}

func TestGPU10AHotCardRests(t *testing.T) {
	w := open(t, config.GPU{Devices: "0", MaxTemp: 80}, &machine{heat: 60})
	l := w.Take("task")
	w.m.heat = 80
	w.after(5 * time.Second)
	if l.Rest() {
		t.Error("the temperature is read too often")
	}
	w.after(5 * time.Second)
	if !l.Rest() {
		t.Error("a card of 80 °C goes on")
	}
	l.Done(nil)
	w.after(time.Second)
	w.is("hot", Resting)
	w.m.heat = 78
	w.after(thermostat)
	w.is("hardly cooler", Resting)
	w.m.heat = 75
	w.after(thermostat)
	w.is("cool", Ready)
	w.m.noHeat = errors.New("no sensor")
	w.after(thermostat)
	w.is("nobody knows how hot", Resting)
	if list, _ := w.Status(); !strings.Contains(list[0].Why, "no sensor") {
		t.Errorf("%+v", list[0])
	}
}

func TestGPU07ALostCardIsStartedAgainLaterAndLater(t *testing.T) {
	w := open(t, config.GPU{Devices: "0"}, &machine{})
	for i, wait := range []time.Duration{time.Second, 2 * time.Second, time.Minute} { // the third of one task: quarantine
		l := w.Take("task")
		if l == nil {
			t.Fatalf("loss %d: not lent", i)
		}
		l.Done(fmt.Errorf("launch: %w", gpu.ErrLost))
		if w.is("lost", Lost); w.m.live != 0 || w.Take("task") != nil {
			t.Fatal("a lost card is open")
		}
		w.after(wait - time.Millisecond)
		w.is("too early", Lost)
		w.after(time.Millisecond)
		w.is("again", Ready)
	}
	l := w.Take("task")
	l.Done(nil)
	w.Take("task").Done(gpu.ErrDeadline)
	w.after(time.Second)
	w.is("a card that finished something starts anew after a second", Ready)
}

func TestGPU08ACardThatComputesWrongIsNotUsed(t *testing.T) {
	w := open(t, config.GPU{Devices: "0"}, &machine{})
	w.Take("task").Done(fmt.Errorf("segment: %w", gpu.ErrWrong))
	w.after(time.Hour)
	if w.is("it gave a wrong bit", Off); w.m.live != 0 {
		t.Error("it is still open")
	}
	w = open(t, config.GPU{Devices: "0"}, &machine{noOpen: fmt.Errorf("%w: it said: %w: exp", gpu.ErrLost, host.ErrSelfTest)})
	w.after(time.Hour)
	if w.is("its self-test failed", Off); len(w.m.opened) != 1 {
		t.Error("tried again")
	}
}

func TestADriverOrCardThatFailsStopsNothing(t *testing.T) {
	w := open(t, config.GPU{Devices: "auto"}, &machine{noList: errors.New("cuInit: CUDA error 100\nand more")})
	if w.is("no driver"); w.none != "cuInit: CUDA error 100" || w.Take("task") != nil {
		t.Errorf("none: %q", w.none)
	}
	w = open(t, config.GPU{Devices: "auto"}, &machine{cards: []cuda.Card{}})
	if w.is("no card"); w.none == "" {
		t.Error("it does not say that there is none")
	}
	w = open(t, config.GPU{Devices: "0,7"}, &machine{noOpen: gpu.ErrLost})
	w.is("one does not start, one is not there", Lost, Off)
	w.m.noOpen = nil
	w.after(time.Second)
	w.is("later it does", Ready, Off)
}

func TestTheNodeStopsWithItsCards(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := &machine{cards: []cuda.Card{{Name: "card", UUID: "GPU-0", Memory: 1 << 20}}, killed: make(chan struct{})}
			c, err := New(Config{Settings: config.GPU{Devices: "auto"}, Host: m, Clock: clock.NewReal(), Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { c.Run(ctx); close(ended) }()
			synctest.Wait()
			l := c.Take("task")
			stop()
			synctest.Wait()
			select {
			case <-ended:
				t.Error("ended while a card was lent")
			default:
			}
			if c.Take("other") != nil {
				t.Error("lent after the end")
			}
			if hangs {
				<-m.killed
				l.Done(gpu.ErrLost)
			} else {
				l.Done(nil)
			}
			if <-ended; m.live != 0 {
				t.Errorf("%d workers live on", m.live)
			}
		})
	}
}
