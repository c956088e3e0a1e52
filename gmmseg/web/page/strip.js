// Images that have one model: a strip of small pictures, which are fetched as they come into sight; one is chosen.

import { blob } from './server.js';

/** An image, and why it cannot be taken, or ''. @typedef {{name: string, reason: string}} Listed */

/** Small pictures that are fetched at once: more would keep classes waiting, of which browsers let few through. */
const AT_ONCE = 2;

export class Strip {
  /**
   * @param {HTMLElement} list @param {Listed[]} images
   * @param {{choose: (at: number) => void, say: (text: string) => void, left: () => void}} on `left` where an image
   *   turned out to be none
   */
  constructor(list, images, on) {
    this.list = list;
    this.images = images;
    this.on = on;
    /** The image that is shown. */
    this.at = Math.max(0, images.findIndex((each) => !each.reason));
    this.focused = this.at;
    /** That which was shown before, if any. @type {number | null} */
    this.last = null;
    /** @type {Set<number>} */
    this.wanted = new Set();
    this.fetching = 0;
    const seen = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        const number = this.#numberOf(target);
        if (isIntersecting) this.wanted.add(number);
        else this.wanted.delete(number); // it has been passed over
      }
      this.#fetch();
    }, { root: list, rootMargin: '0px 200px' });
    this.seen = seen;
    this.options = images.map((_, number) => {
      const option = document.createElement('li');
      option.setAttribute('role', 'option');
      option.id = `image-${number}`;
      option.append(document.createElement('span'), document.createElement('small'));
      list.append(option);
      seen.observe(option);
      return option;
    });
    list.addEventListener('click', (event) => {
      const option = /** @type {HTMLElement} */ (event.target).closest('li');
      if (option) this.choose(this.#numberOf(option));
    });
    list.addEventListener('keydown', (event) => this.#key(event));
    this.show(images);
  }

  /** @param {Element} option */
  #numberOf(option) {
    return Number(option.id.slice('image-'.length));
  }

  /** Show which images there are, and which is chosen. @param {Listed[]} images */
  show(images) {
    this.images = images;
    images.forEach(({ name, reason }, number) => {
      const option = this.options[number], [label, line] = option.querySelectorAll('span, small');
      option.setAttribute('aria-selected', String(number === this.at));
      option.setAttribute('aria-disabled', String(reason !== ''));
      option.tabIndex = number === this.focused ? 0 : -1;
      if (label.textContent !== name) label.textContent = name;
      if (line.textContent === reason) return;
      line.textContent = option.title = reason;
      option.querySelector('img')?.remove();
    });
  }

  /** Show again the image before, as another cannot be shown; or the next one, where there is none before. */
  back() {
    if (this.last === null) return this.step(1);
    this.at = this.last;
    this.show(this.images);
  }

  /** Where the image stands, in words. */
  get said() {
    return `${this.images[this.at].name} (${this.at + 1} of ${this.images.length})`;
  }

  /** What classes were found on, in words. @param {number} tried @param {number} wanted images */
  tried(tried, wanted) {
    return `of smaller copies of ${tried < wanted ? `${tried} of ` : ''}${wanted} images`;
  }

  /** Show another image, or say why it cannot be shown. @param {number} number */
  choose(number) {
    if (number < 0 || number >= this.images.length) return;
    this.#focus(number);
    if (this.images[number].reason) {
      this.on.say(this.images[number].reason);
      return;
    }
    this.at = number;
    this.show(this.images);
    this.on.choose(number);
  }

  /** Show the next or the last image that can be shown. @param {number} step 1 or -1 */
  step(step) {
    let number = this.at + step;
    while (this.images[number]?.reason) number += step;
    this.choose(number);
  }

  /** @param {number} number */
  #focus(number) {
    const had = this.list.contains(document.activeElement);
    this.focused = number;
    this.show(this.images);
    if (had) this.options[number].focus();
    this.options[number].scrollIntoView({ block: 'nearest', inline: 'nearest' });
    if (this.images[number].reason) this.on.say(this.images[number].reason);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const last = this.images.length - 1, { focused } = this;
    const page = Math.max(1, Math.floor(this.list.clientWidth / this.options[0].offsetWidth) - 1);
    const places = {
      ArrowLeft: focused - 1, ArrowUp: focused - 1, ArrowRight: focused + 1, ArrowDown: focused + 1, Home: 0, End: last,
      PageUp: focused - page, PageDown: focused + page,
    };
    const place = places[/** @type {keyof typeof places} */ (event.key)];
    if (place !== undefined) this.#focus(Math.min(last, Math.max(0, place)));
    else if (event.key === 'Enter' || event.key === ' ') this.choose(focused);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #fetch() {
    while (this.fetching < AT_ONCE && this.wanted.size) {
      const [number] = this.wanted;
      this.wanted.delete(number);
      if (this.images[number].reason || this.options[number].querySelector('img')) continue;
      this.fetching += 1;
      void this.#picture(number).finally(() => {
        this.fetching -= 1;
        this.#fetch();
      });
    }
  }

  /** @param {number} number */
  async #picture(number) {
    const option = this.options[number];
    try {
      const image = new Image();
      image.src = URL.createObjectURL(await blob(`tile?at=${number}`));
      image.alt = '';
      await image.decode();
      URL.revokeObjectURL(image.src);
      option.prepend(image);
      this.seen.unobserve(option);
    } catch {
      this.on.left();
    }
  }
}
