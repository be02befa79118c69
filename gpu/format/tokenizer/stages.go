// SPDX-License-Identifier: Apache-2.0

package tokenizer

import "github.com/openledger/openledger/gpu/format"

// typed reads an object's type.
func typed(v format.Value) (*format.Fields, string) {
	f := format.NewFields(v)
	return f, f.Text("type")
}

// each calls read for every stage of a Sequence, or for v itself. Sequences do
// not nest.
func each(v format.Value, list string, read func(i int, v format.Value) error) error {
	f, kind := typed(v)
	if f.Err != nil || kind != "Sequence" {
		return read(0, v)
	}
	if v, ok := f.Need(list); ok {
		f.Fail(v.Array(read))
	}
	return f.Rest(unknown)
}

func (l *loader) normalizer(v format.Value) error {
	return each(v, "normalizers", func(_ int, v format.Value) error {
		f, kind := typed(v)
		if f.Err == nil && kind != "NFC" {
			return v.Unsupported("%.40q; NFC or none is supported", kind)
		}
		l.t.nfc = true
		return f.Rest(unknown)
	})
}

// preTokenizer reads [Digits] ByteLevel, or Split and a ByteLevel that does not
// split.
func (l *loader) preTokenizer(v format.Value) error {
	done, split := false, false
	err := each(v, "pretokenizers", func(i int, v format.Value) error {
		if done {
			return v.Unsupported("nothing may follow ByteLevel")
		}
		f, kind := typed(v)
		switch {
		case f.Err != nil:
		case kind == "Digits" && i == 0:
			l.t.digits = runs
			if f.Flag("individual_digits", false) {
				l.t.digits = apart
			}
		case kind == "Split" && !split:
			split = true
			l.splitStage(f, v)
		case kind == "ByteLevel":
			done = true
			l.t.prefix = f.Flag("add_prefix_space", true)
			f.Flag("trim_offsets", true) // about offsets, which are not made
			if l.t.prefix && i > 0 {
				f.Fail(v.Unsupported("add_prefix_space after another stage"))
			}
			if f.Flag("use_regex", true) {
				l.t.pattern = gpt2
				if split {
					f.Fail(v.Unsupported("use_regex after Split"))
				}
			}
		default:
			return v.Unsupported("%.40q here; ByteLevel, Digits before it and one Split before it are supported", kind)
		}
		return f.Rest(unknown)
	})
	if err == nil && !done {
		err = v.Unsupported("ByteLevel is missing; only byte-level BPE is read")
	}
	if err == nil && !split && l.t.pattern == whole {
		err = v.Unsupported("nothing splits the text: use_regex is false and there is no Split")
	}
	return err
}

func (l *loader) splitStage(f *format.Fields, v format.Value) {
	if s := f.Text("behavior"); s != "Isolated" && f.Err == nil {
		f.Fail(v.Unsupported("behavior %.40q; Isolated is supported", s))
	}
	if f.Flag("invert", false) {
		f.Fail(v.Unsupported("invert"))
	}
	at, ok := f.Need("pattern")
	if !ok {
		return
	}
	p := format.NewFields(at)
	expression := p.Text("Regex")
	known := false
	if l.t.pattern, known = expressions[expression]; !known && p.Err == nil {
		p.Fail(at.Unsupported("%.200q; the expressions of GPT-2, Llama 3 and Qwen2 are supported", expression))
	}
	f.Fail(p.Rest(unknown))
}

// postProcessor reads ByteLevel, which moves offsets only, and a template.
func (l *loader) postProcessor(v format.Value) error {
	template := false
	return each(v, "processors", func(_ int, v format.Value) error {
		f, kind := typed(v)
		switch {
		case f.Err != nil:
		case kind == "ByteLevel":
			f.Flag("add_prefix_space", true)
			f.Flag("trim_offsets", true)
			f.Flag("use_regex", true)
		case kind == "TemplateProcessing" && !template:
			template = true
			l.template(f)
		default:
			return v.Unsupported("%.40q; ByteLevel and one TemplateProcessing are supported", kind)
		}
		return f.Rest(unknown)
	})
}

// maxTemplate bounds the ids that a template adds.
const maxTemplate = 64

func (l *loader) template(f *format.Fields) {
	f.Take("pair") // about two texts at once, which are not encoded
	ids := map[string][]uint32{}
	if v, ok := f.Need("special_tokens"); ok {
		f.Fail(v.Object(func(key string, v format.Value) error {
			s := format.NewFields(v)
			s.Text("id")
			s.Take("tokens")
			if v, ok := s.Need("ids"); ok {
				s.Fail(v.Array(func(_ int, v format.Value) error {
					id, err := v.Uint(MaxVocab - 1)
					if err == nil && (id >= uint64(len(l.t.tokens)) || l.t.tokens[id] == nil) {
						err = v.Fail("no token has the id %d", id)
					}
					if ids[key] = append(ids[key], uint32(id)); len(ids[key]) > maxTemplate {
						err = v.Fail("more than %d ids", maxTemplate)
					}
					return err
				}))
			}
			return s.Rest(unknown)
		}))
	}
	v, ok := f.Need("single")
	if !ok {
		return
	}
	texts := 0
	f.Fail(v.Array(func(_ int, v format.Value) error {
		p := format.NewFields(v)
		if v, ok := p.Take("SpecialToken"); ok {
			s := format.NewFields(v)
			name := s.Text("id")
			s.Take("type_id")
			p.Fail(s.Rest(unknown))
			list := &l.t.before
			if texts > 0 {
				list = &l.t.after
			}
			if *list = append(*list, ids[name]...); len(ids[name]) == 0 || len(*list) > maxTemplate {
				p.Fail(v.Fail("special_tokens does not say the ids of %.40q, or there are more than %d", name, maxTemplate))
			}
		} else if v, ok := p.Need("Sequence"); ok {
			s := format.NewFields(v)
			if id := s.Text("id"); id != "A" && s.Err == nil {
				s.Fail(v.Unsupported("Sequence %.40q; A is supported", id))
			}
			s.Take("type_id")
			p.Fail(s.Rest(unknown))
			texts++
		}
		return p.Rest(unknown)
	}))
	if texts != 1 {
		f.Fail(v.Unsupported("the text stands there %d times", texts))
	}
}

func (l *loader) decoder(v format.Value) error {
	n := 0
	err := each(v, "decoders", func(_ int, v format.Value) error {
		f, kind := typed(v)
		if f.Err == nil && kind != "ByteLevel" {
			return v.Unsupported("%.40q; ByteLevel is supported", kind)
		}
		n++
		for _, name := range []string{"add_prefix_space", "trim_offsets", "use_regex"} {
			f.Flag(name, true) // without effect on decoding
		}
		return f.Rest(unknown)
	})
	if err == nil && n != 1 {
		err = v.Unsupported("%d decoders, one is supported", n)
	}
	return err
}
