// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"fmt"
	"io"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Serve answers requests for d until the other side closes the device or is gone.
// shared is the transfer memory. It closes d. All calls of d come from this
// goroutine. Errors: a message that does not decode; io.EOF is none.
func Serve(r io.Reader, w io.Writer, shared []byte, d gpu.Device) error {
	s := server{dev: d, shared: shared, buffers: map[uint64]gpu.Buffer{}}
	defer d.Close()
	for {
		var q request
		if err := receive(r, &q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("request: %w", err)
		}
		if err := send(w, s.answer(q)); err != nil {
			return fmt.Errorf("reply: %w", err)
		}
		if q.Kind == kindClose {
			return nil
		}
	}
}

type server struct {
	dev     gpu.Device
	shared  []byte
	buffers map[uint64]gpu.Buffer // by number; views too
	last    uint64
}

func (s *server) answer(q request) reply {
	var r reply
	var err error
	switch q.Kind {
	case kindInfo:
		i := s.dev.Info()
		r.Info = info{Name: i.Name, Backend: i.Backend, Class: i.Class, UUID: i.UUID, Memory: i.Memory, Threads: uint64(max(i.Threads, 0))}
	case kindAlloc:
		r, err = s.keep(s.dev.Alloc(fx.Type(q.Type), q.Len))
	case kindView:
		r, err = s.view(q)
	case kindFree:
		err = s.free(q.Buf)
	case kindUpload, kindDownload:
		err = s.transfer(q)
	case kindRun:
		err = s.run(q)
	case kindSync:
		err = s.dev.Sync()
	case kindClose:
		err = s.dev.Close()
	default:
		err = fmt.Errorf("%w: request of unknown kind %d", gpu.ErrArgs, q.Kind)
	}
	if err != nil {
		return failure(err)
	}
	return r
}

func (s *server) keep(b gpu.Buffer, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	if len(s.buffers) >= maxBuffers {
		return reply{}, fmt.Errorf("%w: %d buffers", gpu.ErrMemory, len(s.buffers))
	}
	s.last++
	s.buffers[s.last] = b
	g := b.Region()
	return reply{Buf: s.last, Region: [3]uint64{g.ID, g.Off, g.Len}}, nil
}

func (s *server) of(number uint64) (gpu.Buffer, error) {
	if b, ok := s.buffers[number]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("%w: no buffer %d", gpu.ErrArgs, number)
}

func (s *server) view(q request) (reply, error) {
	b, err := s.of(q.Buf)
	if err != nil {
		return reply{}, err
	}
	return s.keep(s.dev.View(b, q.Off, q.Len))
}

// free forgets the views of a buffer with it.
func (s *server) free(number uint64) error {
	b, err := s.of(number)
	if err != nil {
		return err
	}
	if err := s.dev.Free(b); err != nil {
		return err
	}
	for k, v := range s.buffers {
		if v.Region().ID == b.Region().ID {
			delete(s.buffers, k)
		}
	}
	return nil
}

func (s *server) transfer(q request) error {
	b, err := s.of(q.Buf)
	if err != nil {
		return err
	}
	if q.Len > uint64(len(s.shared))/b.Type().Size() {
		return fmt.Errorf("%w: %d elements do not fit the shared memory", gpu.ErrArgs, q.Len)
	}
	part, err := s.dev.View(b, q.Off, q.Len)
	if err != nil {
		return err
	}
	data := s.shared[:q.Len*b.Type().Size()]
	if q.Kind == kindUpload {
		return s.dev.Upload(part, data)
	}
	return s.dev.Download(data, part)
}

func (s *server) run(q request) error {
	n, err := program.DecodeNode(q.Node)
	if err != nil {
		return fmt.Errorf("%w: %w", gpu.ErrArgs, err)
	}
	in := make([]gpu.Buffer, len(q.In))
	for i, number := range q.In {
		if in[i], err = s.of(number); err != nil {
			return err
		}
	}
	out, err := s.of(q.Buf)
	if err != nil {
		return err
	}
	return s.dev.Run(n, in, out)
}
