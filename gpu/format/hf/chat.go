// SPDX-License-Identifier: Apache-2.0

package hf

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/openledger/openledger/gpu/format"
)

// Style says how a conversation becomes one text.
type Style uint8

// Styles of conversations.
const (
	StyleUnknown Style = iota
	StylePlain         // the contents, one after the other
	StyleChatML        // <|im_start|>role, line break, content, <|im_end|>, line break
	StyleLlama3        // headers of Llama 3; contents are trimmed
)

// Chat is a style, and what the system says in a conversation that does not
// begin with a message of its own: "" for nothing.
type Chat struct {
	Style  Style
	System string
}

// ErrChat is returned for a style that is not known, and for roles with control
// characters or markup.
var ErrChat = errors.New("conversation cannot be written")

// ChatOf returns the style of a name: plain, chatml, llama3. Errors: ErrChat.
func ChatOf(name string) (Chat, error) {
	for style, n := range []string{"", "plain", "chatml", "llama3"} {
		if style > 0 && n == name {
			return Chat{Style: Style(style)}, nil
		}
	}
	return Chat{}, fmt.Errorf("%w: no style %.40q; there are plain, chatml and llama3", ErrChat, name)
}

// templates maps SHA-256 of templates to what they do. Templates are programs:
// these are recognised, none is run.
var templates = map[string]Chat{
	"c4123e078b4bdc0f5f63fa38eca171496c1d7ee48987353469d9d611d0428e66": {StylePlain, ""},
	"153280e3ff55d19da1398bdb3914ee2a51b80429bfaedde11d7d216c39db80f3": {StyleChatML, ""},
	"793202280c0910ab26bc6eb57c8212c2417324c6d8c4efd0d10d59092ab3e3eb": {StyleChatML, "You are a helpful assistant."},
	"872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788": {StyleChatML, "You are a helpful AI assistant named SmolLM, trained by Hugging Face"},
	"ba03a121d097859c7b5b9cd03af99aafe95275210d2876f642ad9929a150f122": {StyleLlama3, ""},
}

// Recognise returns what a chat template does. \n within its texts may be written
// as an escape or as a line break. StyleUnknown is for every template that is not
// known; the user then has to name one.
func Recognise(template string) Chat {
	sum := sha256.Sum256([]byte(strings.ReplaceAll(template, `\n`, "\n")))
	return templates[hex.EncodeToString(sum[:])]
}

// readChat finds the template in tokenizer_config.json.
func readChat(b []byte) (Chat, error) {
	v, err := format.Parse("tokenizer_config.json", b)
	if err != nil {
		return Chat{}, err
	}
	f := format.NewFields(v)
	t, ok := f.Take("chat_template")
	if !ok || !t.IsText() { // a list of several: the user has to choose
		return Chat{}, f.Err
	}
	s, err := t.Text()
	return Recognise(s), err
}

// Message is one message of a conversation.
type Message struct{ Role, Content string }

// Render writes a conversation, and with answer the beginning of the next answer.
// The text begins with what begins a text of this style, so it is encoded without
// the tokenizer's template. Content is not escaped: what looks like markup in it
// is markup, as in every program that uses these templates. Errors: ErrChat.
func (c Chat) Render(list []Message, answer bool) (string, error) {
	if c.System != "" && (len(list) == 0 || list[0].Role != "system") {
		list = append([]Message{{"system", c.System}}, list...)
	}
	var b strings.Builder
	for i, m := range list {
		if m.Role == "" || strings.ContainsFunc(m.Role, func(r rune) bool { return r < ' ' || strings.ContainsRune("<>|", r) }) {
			return "", fmt.Errorf("%w: role %.40q", ErrChat, m.Role)
		}
		switch c.Style {
		case StylePlain:
			b.WriteString(m.Content)
		case StyleChatML:
			b.WriteString("<|im_start|>" + m.Role + "\n" + m.Content + "<|im_end|>\n")
		case StyleLlama3:
			if i == 0 {
				b.WriteString("<|begin_of_text|>")
			}
			b.WriteString("<|start_header_id|>" + m.Role + "<|end_header_id|>\n\n" + strings.TrimSpace(m.Content) + "<|eot_id|>")
		default:
			return "", fmt.Errorf("%w: the model's chat template is not known; name one of plain, chatml and llama3", ErrChat)
		}
	}
	if answer && c.Style == StyleChatML {
		b.WriteString("<|im_start|>assistant\n")
	} else if answer && c.Style == StyleLlama3 {
		b.WriteString("<|start_header_id|>assistant<|end_header_id|>\n\n")
	}
	return b.String(), nil
}
