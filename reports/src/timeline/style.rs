//! Colours for light and dark backgrounds. Okabe–Ito for clients; colour is never the only distinction.

/// The colour theme of a timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Light or dark, as the reader's system prefers. Formats that cannot adapt, such as PNG, are light.
    #[default]
    Auto,
    /// Dark on a light background.
    Light,
    /// Light on a dark background.
    Dark,
}

struct Colours {
    surface: &'static str,
    ink: &'static str,
    muted: &'static str,
    grid: &'static str,
    hatch: &'static str,
    fault: &'static str,
    alarm: &'static str,
    /// Edge and fill colour for each client.
    clients: [(&'static str, &'static str); CLIENTS],
}

/// The number of different client colours.
pub(super) const CLIENTS: usize = 4;

const LIGHT: Colours = Colours {
    surface: "#fefefe",
    ink: "#1b1f24",
    muted: "#59636e",
    grid: "#c3cad1",
    hatch: "#9aa4af",
    fault: "#ece5d0",
    alarm: "#b3261e",
    clients: [("#0072b2", "#cde4f3"), ("#c75400", "#fbdcc2"), ("#00805c", "#c6eadd"), ("#9a4a77", "#f1d9e6")],
};

const DARK: Colours = Colours {
    surface: "#14181d",
    ink: "#e6e9ed",
    muted: "#9aa4af",
    grid: "#464f59",
    hatch: "#6b7682",
    fault: "#3a3524",
    alarm: "#ff7a6e",
    clients: [("#4fa8dd", "#16405b"), ("#f0803c", "#5a2f12"), ("#2fc59b", "#0f4638"), ("#dd94bd", "#4d2a3e")],
};

pub(super) fn css(theme: Theme) -> String {
    match theme {
        Theme::Light => format!("{SHAPES}{}", rules(&LIGHT)),
        Theme::Dark => format!("{SHAPES}{}", rules(&DARK)),
        Theme::Auto => {
            format!("{SHAPES}{}@media screen and (prefers-color-scheme:dark){{{}}}", rules(&LIGHT), rules(&DARK))
        }
    }
}

/// Returns the CSS for a page with several drawings, whose theme `data-theme` on the root element can override.
pub(super) fn page_css() -> String {
    let dark = rules(&DARK);
    format!(
        "{SHAPES}{}@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\
         @media screen{{:root[data-theme=dark]{{{dark}}}}}",
        rules(&LIGHT)
    )
}

/// The rules that are the same in every theme.
const SHAPES: &str = "\
.fptl text{font-family:DejaVu Sans,Verdana,sans-serif;font-size:12px}\
.fptl .t1{font-size:21px;font-weight:bold}.fptl .t2{font-size:13px}.fptl .nm{font-size:14px;font-weight:bold}\
.fptl .tx{font-size:14px}.fptl .sm{font-size:11px}.fptl .nb{font-size:12px;font-weight:bold}\
.fptl .ln{stroke-width:1.2}.fptl .gl{stroke-width:1;stroke-dasharray:2 4}.fptl .ar{stroke-width:1.3;fill:none}\
.fptl .lt{stroke-width:1.8;stroke-dasharray:7 3;fill:none}.fptl .wt{stroke-width:3;stroke-dasharray:2 4;fill:none}\
.fptl .hl{stroke-width:1.6}.fptl .ps{stroke-width:1}.fptl .dn{fill:none;stroke-width:1.2;stroke-dasharray:4 3}\
.fptl .al{stroke-width:3;fill:none}.fptl .rg{stroke-width:2.4;fill:none}";

fn rules(colours: &Colours) -> String {
    let Colours { surface, ink, muted, grid, hatch, fault, alarm, clients } = colours;
    let mut css = format!(
        ".fptl .bg,.fptl .nw{{fill:{surface}}}.fptl text,.fptl .dk{{fill:{ink}}}.fptl text.mu{{fill:{muted}}}\
         .fptl text.nw{{fill:{surface}}}.fptl text.rd,.fptl .rf{{fill:{alarm}}}.fptl .ln,.fptl .gl{{stroke:{grid}}}\
         .fptl .ax{{stroke:{muted};fill:none}}.fptl .hl,.fptl .ps{{stroke:{hatch}}}.fptl .dn{{stroke:{ink}}}\
         .fptl .al,.fptl .rg{{stroke:{alarm}}}.fptl .ft{{fill:{fault};stroke:{hatch}}}\
         .fptl .sh{{fill:{fault};fill-opacity:.45}}.fptl .op{{fill:{surface};stroke:{ink};stroke-width:1.6}}"
    );
    for (index, (edge, fill)) in clients.iter().enumerate() {
        css += &format!(
            ".fptl .b{index}{{fill:{fill};stroke:{edge};stroke-width:1.6}}.fptl .s{index}{{stroke:{edge}}}\
             .fptl .f{index}{{fill:{edge}}}"
        );
    }
    css
}
