package ui

import (
	"image/color"
	"strings"

	"charm.land/lipgloss/v2"
)

// Look is a set of colours.
type Look string

// Basic uses the terminal's own 16 colours, Mono only bold, faint and reverse.
const (
	Dark  Look = "dark"
	Light Look = "light"
	Basic Look = "16"
	Mono  Look = "none"
)

// Looks lists them for flags and config.
func Looks() []Look { return []Look{Dark, Light, Basic, Mono} }

// Theme gives tones their colours. It is made once; painting then only puts
// two strings around a text, which costs a hundredth of rendering a style.
type Theme struct {
	Look  Look
	ASCII bool // finished lines go through [ASCII]
	plain [tones]paint
	under [tones]paint // on the cursor's row
}

// paint is what goes before and after a text.
type paint struct{ on, off string }

// NewTheme makes a theme. An unknown look is taken as Dark.
func NewTheme(look Look, ascii bool) *Theme {
	t := &Theme{Look: look, ASCII: ascii}
	p, ok := palettes()[look]
	if !ok {
		t.Look, p = Dark, palettes()[Dark]
	}
	for tone := range tones {
		style := toneStyle(p, Tone(tone))
		t.plain[tone], t.under[tone] = paintOf(style), paintOf(onCursor(p, style))
	}
	return t
}

// Paint gives s in a tone. s must be clean; it is not measured.
func (t *Theme) Paint(tone Tone, s string) string {
	if s == "" {
		return ""
	}
	p := t.plain[tone]
	return p.on + s + p.off
}

// Finish makes a finished line fit for the terminal: with --ascii, only ASCII.
func (t *Theme) Finish(line string) string {
	if t.ASCII {
		return ASCII(line)
	}
	return line
}

// PaintTo paints s into b, on the cursor's row or off it.
func (t *Theme) PaintTo(b *strings.Builder, tone Tone, cursor bool, s string) {
	p := &t.plain[tone]
	if cursor {
		p = &t.under[tone]
	}
	b.WriteString(p.on)
	b.WriteString(s)
	b.WriteString(p.off)
}

// Badge is a word on a ground of its own, such as the name of the environment.
// colour is a name ("red", "green", …), a number of the 256 or #rrggbb; without
// colours the badge is reversed.
func (t *Theme) Badge(colour, s string) string {
	if t.Look == Mono || colour == "" {
		return lipgloss.NewStyle().Bold(true).Reverse(true).Render(s)
	}
	ground := namedColor(colour)
	return lipgloss.NewStyle().Bold(true).Background(ground).Foreground(inkOn(ground)).Render(s)
}

// palette has a colour a tone; "" leaves the terminal's own.
type palette struct {
	dim, good, warn, bad, accent, border, focus, cursor string
	attrs                                               bool // say it with faint and bold as well
}

func palettes() map[Look]palette {
	return map[Look]palette{
		Dark:  {dim: "246", good: "78", warn: "221", bad: "210", accent: "117", border: "241", focus: "117", cursor: "238"},
		Light: {dim: "241", good: "22", warn: "94", bad: "124", accent: "24", border: "247", focus: "24", cursor: "253"},
		Basic: {good: "2", warn: "3", bad: "1", accent: "6", focus: "6", attrs: true},
		Mono:  {attrs: true},
	}
}

func toneStyle(p palette, tone Tone) lipgloss.Style {
	s := lipgloss.NewStyle()
	switch tone {
	case Dim, Border:
		colour := map[Tone]string{Dim: p.dim, Border: p.border}[tone]
		return tint(s, colour).Faint(p.attrs)
	case Good:
		return tint(s, p.good)
	case Warn:
		return tint(s, p.warn)
	case Bad:
		return tint(s, p.bad).Bold(p.attrs)
	case Accent:
		return tint(s, p.accent)
	case Strong:
		return s.Bold(true)
	case Header:
		return tint(s, p.dim).Bold(true)
	case Focus, Key:
		return tint(s, p.focus).Bold(true)
	}
	return s
}

func tint(s lipgloss.Style, colour string) lipgloss.Style {
	if colour == "" {
		return s
	}
	return s.Foreground(lipgloss.Color(colour))
}

// onCursor is a tone on the cursor's row: a ground where there are colours for
// one, else reversed, which needs none.
func onCursor(p palette, s lipgloss.Style) lipgloss.Style {
	if p.cursor == "" {
		return s.Faint(false).Reverse(true)
	}
	return s.Background(lipgloss.Color(p.cursor)).Bold(true)
}

// paintOf takes apart what Lip Gloss puts around a text.
func paintOf(s lipgloss.Style) paint {
	on, off, _ := strings.Cut(s.Render("x"), "x")
	return paint{on, off}
}

func namedColor(name string) color.Color {
	names := map[string]string{
		"red": "160", "green": "28", "yellow": "220", "blue": "26",
		"magenta": "127", "cyan": "37", "white": "255", "black": "16", "orange": "208", "grey": "240",
	}
	if n, ok := names[strings.ToLower(name)]; ok {
		name = n
	}
	return lipgloss.Color(name)
}

// inkOn picks black or white, whichever reads better on a ground. The weights
// are those of relative luminance in ITU-R BT.709.
func inkOn(ground color.Color) color.Color {
	r, g, b, _ := ground.RGBA()
	if 0.2126*float64(r)+0.7152*float64(g)+0.0722*float64(b) > 0.45*0xffff {
		return lipgloss.Color("16")
	}
	return lipgloss.Color("255")
}
