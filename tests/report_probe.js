// Looks at the pages in this document's frames (report_pages.sh) and writes what is wrong into #found, a line each; the last
// line says how many pages it has looked at. A frame's data-name tells it, its width is the window's.

// A word of a picture as it lies on the screen; NULL of one that is turned, whose box says little.
function place(word) {
    return word.closest('g[transform*=rotate]') ? null : word.getBoundingClientRect();
}

function overlap(a, b) { // by more than the air above letters
    const x = Math.min(a.right, b.right) - Math.max(a.left, b.left), y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    return x > 1.5 && y > 0.3 * Math.min(a.height, b.height);
}

function lookAtPicture(svg, say) {
    const frame = svg.getBoundingClientRect(), scale = frame.width / svg.viewBox.baseVal.width;
    const words = [...svg.querySelectorAll('text')].filter(w => w.textContent.trim());
    const title = svg.querySelector('title').textContent.slice(0, 40);
    const places = words.map(place);
    words.forEach((word, i) => {
        const text = word.textContent.trim(), a = word.getBoundingClientRect();
        const size = parseFloat(svg.ownerDocument.defaultView.getComputedStyle(word).fontSize) * scale;
        if (size < 8)
            say(`"${title}": "${text}" is ${size.toFixed(1)} pixels high`);
        if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.top < frame.top - 1 || a.bottom > frame.bottom + 1)
            say(`"${title}": "${text}" is cut`);
        for (let k = 0; places[i] && k < i; k++)
            if (places[k] && overlap(places[i], places[k]))
                say(`"${title}": "${words[k].textContent.trim()}" and "${text}" overlap`);
    });
}

function look(frame) {
    const found = [], page = frame.contentDocument, width = frame.clientWidth;
    const say = what => found.push(`${frame.dataset.name} at ${width}: ${what}`);
    if (!page || !page.querySelector('h1')) {
        say('no page');
        return found;
    }
    if (page.documentElement.scrollWidth > width)
        say(`scrolls sideways: ${page.documentElement.scrollWidth} pixels`);
    for (const e of page.body.querySelectorAll('*'))
        if (e.getBoundingClientRect().right > width + 1 && !e.closest('.scroll, pre'))
            say(`<${e.tagName}> "${e.textContent.slice(0, 40)}" sticks out`);
    for (const box of page.querySelectorAll('.scroll.phone, .scroll.desk'))
        if (box.clientWidth && box.scrollWidth > box.clientWidth)
            say(`"${box.getAttribute('aria-label').slice(0, 40)}" is wider than the page`);
    const pictures = [...page.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().width > 0);
    pictures.forEach(svg => lookAtPicture(svg, say));
    if (frame.dataset.pictures && pictures.length != Number(frame.dataset.pictures))
        say(`${pictures.length} pictures are shown, not ${frame.dataset.pictures}`);
    return found;
}

addEventListener('load', () => {
    const frames = [...document.querySelectorAll('iframe')];
    document.getElementById('found').textContent = frames.flatMap(look).concat(`${frames.length} pages`).join('\n');
});
