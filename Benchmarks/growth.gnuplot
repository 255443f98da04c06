# Draws the tables of the measure `growth` (subscribers.tsv, bans.tsv, monitors.tsv) in the folder that they are in; run by scripts/bench --plots.

set terminal svg size 640,400 font "sans-serif,12" background "white"
set datafile separator tab
set logscale x
set grid
set key outside bottom center horizontal
set style data linespoints

set output "subscribers.svg"
set title "1,000 events/s, by the number of subscribers"
set xlabel "subscribers"
set ylabel "ms from report to subscriber"
set logscale y
set y2label "publisher, % of a core"
set y2range [0:*]
set y2tics
set ytics nomirror
plot "subscribers.tsv" using 1:2 title "median", "" using 1:3 title "p99", "" using 1:4 axes x1y2 title "publisher, % of a core"
unset y2label
unset y2tics
set y2range [*:*]
set ytics mirror

set output "bans.svg"
set title "By the number of active bans"
set xlabel "active bans"
set ylabel "seconds"
set y2label "MB"
set y2tics
set ytics nomirror
set logscale y2
plot "bans.tsv" using 1:3 title "snapshot to a new subscriber, s", "" using 1:4 title "start of the publisher, s", \
    "" using 1:2 axes x1y2 title "the publisher's own memory, MB"
unset y2label
unset y2tics
unset logscale y2
set ytics mirror

set output "monitors.svg"
set title "Durable events, by the number of monitors"
set xlabel "monitors that report at once"
set ylabel "events/s"
unset logscale y
set yrange [0:*]
plot "monitors.tsv" using 1:2 title "publisher", "" using 1:3 title "SQLite alone, in batches of as many rows"
