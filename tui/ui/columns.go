package ui

// Layout shares w cells among columns with gap cells between them. natural is
// the width of the widest cell of each column, its title included. The result
// has a width a column; 0 means that the column is not shown.
func Layout(cols []Column, natural []int, w, gap int) []int {
	widths := least(cols, natural)
	for total(widths, gap) > w {
		if !dropOne(cols, widths) {
			squeeze(widths, w, gap)
			return widths
		}
	}
	grow(cols, natural, widths, w-total(widths, gap))
	return widths
}

// least is what each column needs, or less where its cells are all shorter.
func least(cols []Column, natural []int) []int {
	widths := make([]int, len(cols))
	for i, c := range cols {
		widths[i] = max(min(c.Min, natural[i]), 1)
		if c.Min == 0 {
			widths[i] = max(Width(c.Title), 1)
		}
	}
	return widths
}

func total(widths []int, gap int) int {
	sum, shown := 0, 0
	for _, w := range widths {
		if w > 0 {
			sum += w
			shown++
		}
	}
	return sum + gap*max(shown-1, 0)
}

// dropOne takes away the column with the highest Drop.
func dropOne(cols []Column, widths []int) bool {
	worst := -1
	for i, c := range cols {
		if widths[i] > 0 && c.Drop > 0 && (worst < 0 || c.Drop > cols[worst].Drop) {
			worst = i
		}
	}
	if worst >= 0 {
		widths[worst] = 0
	}
	return worst >= 0
}

// squeeze makes the columns that never go fit anyway, the widest first; at
// last, the rightmost are not shown.
func squeeze(widths []int, w, gap int) {
	for total(widths, gap) > w {
		widest := 0
		for i, n := range widths {
			if n > widths[widest] {
				widest = i
			}
		}
		if widths[widest] > 1 {
			widths[widest]--
			continue
		}
		last := len(widths) - 1
		for last >= 0 && widths[last] == 0 {
			last--
		}
		if last < 0 {
			return
		}
		widths[last] = 0
	}
}

// grow hands out spare cells one at a time to the columns that can use them.
func grow(cols []Column, natural, widths []int, spare int) {
	for given := true; given && spare > 0; {
		given = false
		for i, c := range cols {
			want := natural[i]
			if c.Max > 0 {
				want = min(want, c.Max)
			}
			if widths[i] > 0 && widths[i] < want && spare > 0 {
				widths[i]++
				spare--
				given = true
			}
		}
	}
}
