// SPDX-License-Identifier: Apache-2.0

package cards

import (
	"errors"

	"github.com/openledger/openledger/gpu"
)

// Lease is a card that is lent to one task, for one goroutine.
type Lease struct {
	c    *Cards
	k    *card
	dev  gpu.Device
	task string
}

// Take lends a card that is free and may work now; nil if there is none.
func (c *Cards) Take(task string) *Lease {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for _, k := range c.list {
		if c.ended || k.dev == nil || k.lent || c.rests(k, now) != "" {
			continue
		}
		k.lent, k.since, k.State, k.Task = true, now, Busy, task
		k.Tasks++
		c.lent.Add(1)
		c.cfg.Log.Info("card works", "card", k.Index, "name", k.Name, "task", task)
		return &Lease{c, k, k.dev, task}
	}
	return nil
}

// Device is the card.
func (l *Lease) Device() gpu.Device { return l.dev }

// Name is the product and its number on this machine.
func (l *Lease) Name() string { return l.k.Name }

// Rest says that the task must give the card back now: its hours are over or it is
// too hot. Cost: a lock.
func (l *Lease) Rest() bool {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.c.rests(l.k, l.c.now()) != ""
}

// Done gives the card back with the error that its work ended in. After
// gpu.ErrLost or gpu.ErrDeadline its worker is ended and started again later; after
// gpu.ErrWrong it is not used any more. Spec: GPU-07, GPU-08.
func (l *Lease) Done(err error) {
	lost := errors.Is(err, gpu.ErrLost) || errors.Is(err, gpu.ErrDeadline)
	if lost {
		_ = l.dev.Close()
	}
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	defer l.c.lent.Done()
	k := l.k
	k.lent, k.Task, k.State = false, "", Ready
	k.Busy += l.c.now().Sub(k.since)
	switch {
	case lost:
		l.c.lose(k, l.task, err)
		if errors.Is(err, gpu.ErrWrong) {
			k.State = Off
			k.Mismatches++
			l.c.cfg.Log.Error("card computed a wrong bit and is not used any more", "card", k.Index, "name", k.Name, "err", err)
		}
	case err == nil:
		k.health.Fine()
	}
}
