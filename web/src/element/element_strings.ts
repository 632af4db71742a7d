/** What the elements say, in the languages that come along, and the page's own words in their place. */
import type { PanelStrings } from './privacy_strings.ts';

const en = {
  label: 'Recommendations',
  becauseLike: 'Because you liked {title}',
  becauseView: 'Because you viewed {title}',
  becauseBuy: 'Because you bought {title}',
  like: 'Like {title}',
  hide: 'Hide {title}',
  didLike: '{title}: liked',
  didUnlike: '{title}: no longer liked',
  didHide: '{title}: hidden',
  nothing: 'Nothing to recommend yet.',
};

type ListStrings = Record<keyof typeof en, string>;

const de: ListStrings = {
  label: 'Empfehlungen',
  becauseLike: 'Weil Ihnen {title} gefällt',
  becauseView: 'Weil Sie {title} angesehen haben',
  becauseBuy: 'Weil Sie {title} gekauft haben',
  like: '{title} gefällt mir',
  hide: '{title} ausblenden',
  didLike: '{title}: gefällt Ihnen',
  didUnlike: '{title}: nicht mehr markiert',
  didHide: '{title}: ausgeblendet',
  nothing: 'Noch keine Empfehlungen.',
};

const zh: ListStrings = {
  label: '推荐内容',
  becauseLike: '因为您喜欢《{title}》',
  becauseView: '因为您看过《{title}》',
  becauseBuy: '因为您购买过《{title}》',
  like: '喜欢《{title}》',
  hide: '隐藏《{title}》',
  didLike: '已喜欢《{title}》',
  didUnlike: '已取消喜欢《{title}》',
  didHide: '已隐藏《{title}》',
  nothing: '暂无推荐。',
};

const ar: ListStrings = {
  label: 'توصيات',
  becauseLike: 'لأنك أعجبت بـ {title}',
  becauseView: 'لأنك شاهدت {title}',
  becauseBuy: 'لأنك اشتريت {title}',
  like: 'أعجبني {title}',
  hide: 'إخفاء {title}',
  didLike: '{title}: أعجبك',
  didUnlike: '{title}: أُلغي الإعجاب',
  didHide: '{title}: أُخفي',
  nothing: 'لا توجد توصيات بعد.',
};

/**
 * Texts by name; `{title}` and `{n}` stand for what is put in.
 *
 * @interface
 */
export type Strings = ListStrings & PanelStrings;
export type StringKey = keyof Strings;

type Tables = Record<string, Partial<Strings>>;

const builtIn: Tables = { en, de, zh, ar };
const own: Tables = {};
const RIGHT_TO_LEFT = /^(ar|dv|fa|he|ku|ps|sd|ug|ur|yi)\b/;

const add = (tables: Tables, language: string, strings: Partial<Strings> | undefined): void => {
  tables[language] = { ...tables[language], ...strings };
};

/** The words of a part that is fetched when it is needed. */
export function addBuiltIn(tables: Record<string, PanelStrings>): void {
  for (const language in tables) add(builtIn, language, tables[language]);
}

/**
 * Words of the page's own in a language: new ones, or in place of some that come along. Call it before elements
 * show; those that do read them with the next change.
 *
 * @param language - as in `lang`, such as `fr` or `pt-BR`
 * @example
 * setStrings('fr', { label: 'Recommandations', becauseLike: 'Parce que vous aimez {title}' });
 */
export function setStrings(language: string, strings: Partial<Strings>): void {
  add(own, language.toLowerCase(), strings);
}

/** `pt-br`, then `pt`. */
const namesOf = (language: string): [string, string] => {
  const name = language.toLowerCase();
  return [name, name.replace(/-.*/, '')];
};

/** The text in a language: that of `pt-BR`, of `pt`, or English. */
export function textOf(key: StringKey, language: string): string {
  const [name, base] = namesOf(language);
  const found = [own[name], own[base], builtIn[base], own.en, builtIn.en].find(
    (table) => table?.[key],
  );
  return found?.[key] ?? '';
}

/** How the words run that {@link textOf} gives. */
export function directionOf(language: string): 'rtl' | 'ltr' {
  const [name, base] = namesOf(language);
  const known = own[name] ?? own[base] ?? builtIn[base];
  return known && RIGHT_TO_LEFT.test(base) ? 'rtl' : 'ltr';
}

export const putIn = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
